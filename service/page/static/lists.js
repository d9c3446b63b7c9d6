// What happened, the alerts, and the last errors.

import * as clock from "./clock.js";
import { find, make, say, show } from "./dom.js";
import { doneOf } from "./headline.js";

const MARKS = { failure: "✕", circuit: "⌁", escalation: "⇑", poison: "☠", load: "▲", worker: "↻", order: "◆" };
const SEVERITIES = { critical: "broken", error: "broken", warning: "mending", info: "notice" };

let happened = [];
let drawn = "";
let drawnAlerts = "";
let drawnErrors = "";

/** Show a picture. */
export function showPicture(picture) {
  showHappened(picture.happened);
  showAlerts(picture.told.alerts);
  showErrors(picture.told.errors);
}

/** Bring ages up to date. */
export function tick() {
  const entries = find("happened").children;
  happened.forEach((each, index) => {
    if (entries[index] !== undefined) say(entries[index].querySelector(".outcome"), outcomeOf(each));
  });
}

function showHappened(told) {
  happened = told;
  show(find("happened-none"), told.length === 0);
  const key = JSON.stringify(told);
  if (key !== drawn) {
    drawn = key;
    find("happened").replaceChildren(...told.map((each) => make("li", { "data-kind": each.kind, "data-is-over": String(each.over_at !== null) },
      make("span", { class: "entry-mark", "aria-hidden": "true" }, each.over_at === null ? MARKS[each.kind] : "✓"),
      make("time", {}, clock.timeOfDay(each.at)),
      make("span", { class: "entry-path" }, each.path),
      make("span", { class: "entry-words" }, each.says),
      make("span", { class: "outcome soft" }))));
  }
  tick();
}

function outcomeOf(each) {
  if (each.over_at !== null) return `Well again after ${clock.took(each.over_at - each.at)}.`;
  if (each.kind !== "failure" && each.kind !== "circuit") return "";
  const done = each.kind === "circuit" ? "a trial request" : "starts again";
  if (each.until !== null) return `${capital(doneOf({ done, until: each.until }))}.`;
  return `Not over yet, ${clock.span(clock.since(each.at))} later.`;
}

function showAlerts(alerts) {
  const none = alerts === null ? "There is no alerts actor in this tree." : "None fires.";
  say(find("alerts-none"), none);
  show(find("alerts-none"), !alerts?.length);
  const key = JSON.stringify(alerts);
  if (key === drawnAlerts) return;
  drawnAlerts = key;
  find("alerts").replaceChildren(...(alerts ?? []).map((alert) => make("li", { "data-level": SEVERITIES[alert.severity] },
    make("span", { class: "entry-mark", "aria-hidden": "true" }, "▲"),
    make("time", {}, clock.timeOfDay(alert.since)),
    make("span", { class: "entry-path" }, `${alert.rule} · ${alert.severity}`),
    make("span", { class: "entry-words" }, alert.summary))));
}

function showErrors(errors) {
  const none = errors === null ? "There is no errors actor in this tree." : "None.";
  say(find("errors-none"), none);
  show(find("errors-none"), !errors?.length);
  show(find("errors"), Boolean(errors?.length));
  const key = JSON.stringify(errors);
  if (key === drawnErrors) return;
  drawnErrors = key;
  find("error-rows").replaceChildren(...(errors ?? []).map((error) => make("tr", {},
    make("td", {}, make("time", {}, clock.timeOfDay(error.at))),
    make("td", {}, `${error.kind} `, make("span", { class: "soft" }, error.operation), make("div", {}, error.path)),
    make("td", { class: "id" }, error.correlation_id ?? "–"))));
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
