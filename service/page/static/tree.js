// The tree, drawn as a tree: a row for each actor, changed in place, so that focus stays.

import * as clock from "./clock.js";
import { arrange, find, make, say, setAttribute, show } from "./dom.js";
import { doneOf } from "./headline.js";
import { Sparkline } from "./spark.js";

const MARKS = {
  ready: "●", running: "●", busy: "▶", starting: "◔", loading: "◔", warming: "◑", draining: "▽",
  stopping: "▽", stopped: "■", down: "✕", failed: "✕", closed: "✕", restarting: "↻",
};
const LEVELS = {
  ready: "well", running: "well", busy: "busy", starting: "mending", loading: "mending", warming: "mending",
  draining: "mending", stopping: "mending", restarting: "mending", stopped: "off", down: "broken", failed: "broken", closed: "broken",
};
// Seconds for which the reason of what is over stays on the node.
const STAYS = 60;

const nodes = new Map();
const folded = new Set();
let rows = [];
let canSteer = false;
let onActions = () => {};

/** Call `callback` with the row whose actions are asked for. */
export function whenActions(callback) {
  onActions = callback;
}

/** Show the buttons, or don't. */
export function setSteerable(isSteerable) {
  canSteer = isSteerable;
  find("tree").dataset.steerable = String(isSteerable);
  nodes.forEach((node) => node.update());
}

/** Put the rates from before this page was opened in place. */
export function fillRates(past) {
  const byPath = new Map();
  for (const [at, rates] of past) {
    for (const [path, rate] of Object.entries(rates)) {
      if (!byPath.has(path)) byPath.set(path, []);
      byPath.get(path).push([clock.since(at), rate]);
    }
  }
  byPath.forEach((points, path) => nodeOf(path).spark.fill(points));
}

/** Show a picture. */
export function showPicture(picture) {
  rows = picture.rows;
  const troubles = new Map(picture.troubles.map((trouble) => [trouble.path, trouble]));
  const happened = new Map([...picture.happened].reverse().map((each) => [each.path, each]));
  const guides = guidesOf(rows);
  const paths = new Set(rows.map((row) => row.path));
  for (const path of nodes.keys()) if (!paths.has(path)) nodes.delete(path);
  rows.forEach((row, index) => {
    nodeOf(row.path).set(row, guides[index], troubles.get(row.path), happened.get(row.path));
  });
  place();
}

/** Have a node be seen to change. */
export function flash(path) {
  nodes.get(path)?.flash();
}

/** Bring ages and sparklines up to date. */
export function tick() {
  nodes.forEach((node) => node.tick());
}

function place() {
  let foldedAt = Infinity;
  const shown = rows.filter((row) => {
    if (row.depth > foldedAt) return false;
    foldedAt = folded.has(row.path) ? row.depth : Infinity;
    return true;
  });
  arrange(find("nodes"), shown.map((row) => nodes.get(row.path).element));
}

function nodeOf(path) {
  if (!nodes.has(path)) nodes.set(path, new Node(path));
  return nodes.get(path);
}

/** Give for each row the lines before its name: of each level above "rail" or "gap", then "tee" or "end". */
function guidesOf(all) {
  const isOpen = [];
  const guides = new Array(all.length);
  for (let index = all.length - 1; index >= 0; index -= 1) {
    const { depth } = all[index];
    const own = [];
    for (let level = 1; level < depth; level += 1) own.push(isOpen[level] ? "rail" : "gap");
    if (depth > 0) own.push(isOpen[depth] ? "tee" : "end");
    isOpen.length = depth;
    for (let level = 0; level < depth; level += 1) isOpen[level] ??= false;
    isOpen[depth] = true;
    guides[index] = { own, hasChildren: (all[index + 1]?.depth ?? -1) > depth };
  }
  return guides;
}

class Node {
  constructor(path) {
    this.path = path;
    this.spark = new Sparkline();
    this.guides = make("span", { class: "guides", "aria-hidden": "true" });
    this.toggle = make("button", { type: "button", class: "toggle" });
    this.toggle.addEventListener("click", () => this.fold());
    this.label = make("span", { class: "label" });
    this.kind = make("span", { class: "kind" });
    this.badge = make("span", { class: "badge" });
    this.age = make("span", { class: "age" });
    this.load = make("progress", { max: "1" });
    this.inHand = make("span", { role: "cell", class: "number in-hand" });
    this.waiting = make("span", { role: "cell", class: "number waiting" });
    this.rate = make("span", { class: "rate-number" });
    this.circuit = make("span", { role: "cell", class: "circuit" });
    this.restarts = make("span", { role: "cell", class: "number restarts" });
    this.actions = make("button", { type: "button", class: "actions-button" }, "Actions");
    this.actions.addEventListener("click", () => onActions(this.row));
    this.why = make("span", { role: "cell", class: "why" });
    this.name = make("span", { role: "rowheader", class: "name" }, this.toggle, this.label, this.kind);
    this.rateCell = make("span", { role: "cell", class: "rate" }, this.spark.element, this.rate);
    this.element = make("div", { role: "row", class: "node", "data-path": path },
      this.guides, this.name,
      make("span", { role: "cell", class: "state" }, this.badge, this.load, this.age),
      make("span", { role: "none", class: "numbers" }, this.rateCell, this.inHand, this.waiting, this.circuit, this.restarts),
      make("span", { role: "cell", class: "act" }, this.actions), this.why);
  }

  get shortName() {
    return this.path.slice(this.path.lastIndexOf("/") + 1);
  }

  set(row, guides, trouble, happened) {
    Object.assign(this, { row, guide: guides, trouble, happened });
    this.update();
  }

  update() {
    const { row } = this;
    if (row === undefined) return;
    this.drawGuides();
    say(this.label, this.shortName);
    setAttribute(this.label, "title", row.path);
    say(this.kind, kindOf(row));
    setAttribute(this.kind, "title", kindOf(row));
    setAttribute(this.name, "aria-label", `${row.path}, ${kindOf(row)}`);
    this.element.dataset.level = levelOf(row, this.trouble);
    this.element.dataset.role = row.role;
    this.element.style.setProperty("--depth", row.depth);
    say(this.badge, isWithoutModel(row, this.trouble) ? "✕ no model" : `${MARKS[row.state] ?? "○"} ${stateOf(row)}`);
    show(this.load, row.loaded !== undefined);
    if (row.loaded !== undefined) {
      this.load.value = row.loaded;
      setAttribute(this.load, "aria-label", `${this.shortName}: ${Math.round(100 * row.loaded)} % loaded`);
    }
    const isAsked = row.role === "model" || row.role === "router";
    say(this.inHand, isAsked ? String(row.running ?? 0) : "");
    say(this.waiting, row.role === "model" || row.waiting ? String(row.waiting ?? 0) : "");
    say(this.restarts, row.restarts ? String(row.restarts) : row.role === "model" ? "0" : "");
    for (const cell of [this.inHand, this.waiting, this.restarts]) cell.dataset.isZero = String(cell.textContent === "0");
    say(this.circuit, circuitOf(row));
    this.circuit.dataset.state = row.circuit ?? "";
    this.rateCell.dataset.isShown = String(row.role === "model");
    const rate = row.tokens_per_second;
    say(this.rate, row.role !== "model" ? "" : rate === undefined ? "–" : rate.toFixed(1));
    show(this.actions, canSteer && row.depth > 0);
    setAttribute(this.actions, "aria-label", `Actions for ${row.path}`);
    this.tell();
  }

  drawGuides() {
    const wanted = this.guide.own;
    const drawn = [...this.guides.children].map((each) => each.className);
    if (wanted.join() !== drawn.join()) {
      this.guides.replaceChildren(...wanted.map((each) => make("span", { class: each })));
    }
    const { hasChildren } = this.guide;
    this.toggle.dataset.isLeaf = String(!hasChildren);
    this.toggle.disabled = !hasChildren;
    setAttribute(this.toggle, "aria-expanded", hasChildren ? String(!folded.has(this.path)) : null);
    setAttribute(this.toggle, "aria-label", hasChildren ? `Below ${this.path}` : null);
    setAttribute(this.toggle, "aria-hidden", hasChildren ? null : "true");
  }

  fold() {
    if (!folded.delete(this.path)) folded.add(this.path);
    place();
    this.drawGuides();
  }

  /** Say why, on the node itself: of what goes on, and for a while of what is over. */
  tell() {
    const { row } = this;
    const since = row.since === undefined ? "" : clock.span(clock.since(row.since));
    say(this.age, since);
    say(this.why, this.reason());
    show(this.why, this.why.textContent !== "");
  }

  reason() {
    const { trouble, happened, row } = this;
    const more = row.more ? `${row.more} more are below it that aren't shown. ` : "";
    if (trouble !== undefined) {
      return more + [trouble.why, trouble.for_whom, doneOf(trouble)].filter(Boolean).join("; ");
    }
    if (happened === undefined || clock.since(happened.over_at ?? happened.at) > STAYS) return more + (row.trouble ?? "");
    if (happened.over_at === null) return `${more}${happened.says} (${clock.span(clock.since(happened.at))} ago)`;
    const took = clock.took(happened.over_at - happened.at);
    return `${more}${happened.says}; well again after ${took}, ${clock.span(clock.since(happened.over_at))} ago`;
  }

  tick() {
    if (this.row === undefined) return;
    if (this.row.role === "model") this.spark.push(this.row.tokens_per_second ?? null);
    this.tell();
  }

  flash() {
    this.element.classList.remove("flash");
    void this.element.offsetWidth; // so that it begins anew where it hasn't ended
    this.element.classList.add("flash");
    setTimeout(() => this.element.classList.remove("flash"), 3000);
  }
}

const isWithoutModel = (row, trouble) => row.role === "router" && trouble?.level === "broken";

function levelOf(row, trouble) {
  if (isWithoutModel(row, trouble)) return "broken";
  if (row.circuit === "open" && row.is_usable !== false) return "mending";
  return LEVELS[row.state] ?? "off";
}

function kindOf(row) {
  if (row.role === "router") return row.answers_with ? `router → ${row.answers_with}` : "router";
  if (row.role === "model") return row.model ? `model · ${row.model}` : "model";
  return row.role === "supervisor" ? "supervisor" : row.kind ?? "";
}

function stateOf(row) {
  if (row.loaded !== undefined) return `${row.state} ${Math.round(100 * row.loaded)} %`;
  return row.state;
}

function circuitOf(row) {
  if (!row.circuit) return "";
  const word = row.circuit.replace("_", "-");
  return row.forced ? `held ${word}` : word;
}
