// The headline: what is broken, since when, for whom, why, and what the tree does about it.

import * as clock from "./clock.js";
import { arrange, find, make, say } from "./dom.js";

const MARKS = { well: "✓", notice: "i", mending: "!", broken: "✕", unknown: "…" };
const MOST_MORE = 4;

let troubles = [];
let announced = "";

/** Show a picture's troubles, and its figures. */
export function showPicture(picture) {
  troubles = picture.troubles;
  const worst = troubles[0];
  const level = worst?.level ?? "well";
  setLevel(level);
  if (worst === undefined) say(find("headline-words"), well(picture));
  document.title = level === "well" || level === "notice" ? "failsoft" : `${MARKS[level]} ${shortOf(worst)} · failsoft`;
  announce(worst === undefined ? "All is well." : troubles.map(shortOf).join(". "));
  showFigures(picture);
  tick();
}

/** Show that there is nothing to show, and why. */
export function showWords(words, level = "unknown") {
  troubles = [];
  setLevel(level);
  say(find("headline-words"), words);
  find("more-troubles").replaceChildren();
  document.title = level === "broken" ? "✕ failsoft" : "failsoft";
  announce(words);
}

/** Bring ages up to date. */
export function tick() {
  if (troubles.length === 0) return void find("more-troubles").replaceChildren();
  say(find("headline-words"), sentenceOf(troubles[0]));
  const more = troubles.slice(1, 1 + MOST_MORE).map((trouble) => sentenceOf(trouble));
  const left = troubles.length - 1 - more.length;
  if (left > 0) more.push(`And ${left} more.`);
  const list = find("more-troubles");
  arrange(list, more.map((words, index) => {
    const item = list.children[index] ?? make("li");
    say(item, words);
    return item;
  }));
}

/** Give a trouble as a sentence or two. */
export function sentenceOf(trouble) {
  const since = trouble.since === undefined ? "" : ` (${clock.span(clock.since(trouble.since))})`;
  const why = trouble.why ? `: ${trouble.why}` : "";
  const then = [trouble.for_whom, doneOf(trouble)].filter(Boolean).join("; ");
  return `${capital(trouble.path)} ${trouble.what}${since}${stopped(why)} ${then ? stopped(capital(then)) : ""}`.trim();
}

/** Give what the tree does about it, and when. */
export function doneOf(trouble) {
  if (!trouble.done || trouble.until === undefined) return trouble.done ?? "";
  const left = trouble.until - clock.now();
  return left < 0.5 ? `${trouble.done} now` : `${trouble.done} in ${clock.span(left)}`;
}

const shortOf = (trouble) => `${trouble.path} ${trouble.what}`;

// A path stays as it is; words begin a sentence.
const capital = (text) => (text.includes("/", 0) && !text.includes(" ") ? text : text[0].toUpperCase() + text.slice(1));
const stopped = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);

function well(picture) {
  const models = picture.rows.filter((row) => row.role === "model").length;
  if (models === 0) return "All is well. There are no models in this tree.";
  const which = models === 1 ? "the one model is" : models === 2 ? "both models are" : `all ${models} models are`;
  return `All is well: ${which} there to be asked.`;
}

function setLevel(level) {
  find("headline").dataset.level = level;
  say(find("headline-mark"), MARKS[level]);
}

// Spoken only when it is something else: ages that tick are not for a screen reader.
function announce(words) {
  if (words === announced) return;
  announced = words;
  say(find("announcer"), words);
}

// -- figures

function showFigures(picture) {
  const { told, rows } = picture;
  const sum = (name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);
  const models = rows.filter((row) => row.role === "model");
  const figures = [
    ["in hand", String(picture.in_hand), ""],
    ["waiting", String(models.reduce((total, row) => total + (row.waiting ?? 0), 0)), ""],
    ["tokens/s", sum("tokens_per_second").toFixed(1), ""],
    ["restarts", String(picture.restarts), ""],
    ["errors, last hour", told.errors === null ? "–" : String(told.error_count), ""],
    ["alerts", told.alerts === null ? "–" : String(told.alerts.length), told.alerts?.length ? "mending" : ""],
    ["health", told.health ?? "–", { degraded: "mending", critical: "broken" }[told.health] ?? ""],
    ["answers", picture.level, picture.level === "full" ? "" : "mending"],
    ["load", picture.load === null ? "–" : `${Math.round(100 * picture.load)} %`, ""],
  ];
  const list = find("figures");
  arrange(list, figures.map(([name, value, level], index) => {
    const item = list.children[index] ?? make("div", {}, make("dt"), make("dd"));
    say(item.firstChild, name);
    say(item.lastChild, value);
    item.dataset.level = level;
    return item;
  }));
}
