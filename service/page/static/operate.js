// What an operator can do, behind the token: signing in, and orders to the tree.

import { find, make, say, show } from "./dom.js";
import { refusalOf } from "./events.js";
import * as token from "./token.js";

let listenAgain = () => {};
let onSteerable = () => {};
let wantsToken = false;
let isAsking = false;

/** Set up the dialogs. again: begins the stream anew; steerable: is told whether orders may be given. */
export function begin(again, steerable) {
  listenAgain = again;
  onSteerable = steerable;
  find("sign-in").addEventListener("click", () => ask(""));
  find("sign-out").addEventListener("click", () => {
    token.forget();
    listenAgain();
  });
  find("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = find("token").value.trim();
    // A browser sends no header with others, and what can't be sent looks like no connection.
    if (!/^[ -~]+$/.test(typed)) return say(find("sign-in-error"), "It has characters that no token has.");
    isAsking = true;
    token.keep(typed);
    return listenAgain();
  });
  find("service-actions").addEventListener("click", () => offer("The service", "", [DRAIN_SERVICE]));
  for (const button of document.querySelectorAll("[data-closes]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
}

/** Heed what the service says of the token that was sent. */
export function heard(hello) {
  const isRefused = isAsking && !hello.is_operator && hello.has_operators && !wantsToken;
  if (isRefused) {
    token.forget();
    say(find("sign-in-error"), "That isn't the operators' token.");
  } else if (isAsking) {
    find("sign-in-dialog").close();
  }
  isAsking = false;
  const isSignedIn = token.given() !== null;
  show(find("sign-in"), hello.has_operators && !hello.is_operator);
  show(find("sign-out"), isSignedIn);
  show(find("service-actions"), hello.is_operator);
  onSteerable(hello.is_operator);
}

/** Heed that the service shows nothing without a key or token, or none like the one that was sent. */
export function refused() {
  const wasGiven = token.given() !== null;
  token.forget();
  wantsToken = true;
  isAsking = false;
  onSteerable(false);
  show(find("sign-in"), true);
  show(find("sign-out"), false);
  show(find("service-actions"), false);
  ask(wasGiven ? "The service knows no such key or token." : "");
}

function ask(error) {
  const dialog = find("sign-in-dialog");
  say(find("sign-in-words"), wantsToken
    ? "This service shows its state to those with an API key, or the operators' token."
    : "With the operators' token you can restart and drain models, and steer their circuits.");
  say(find("token-label"), wantsToken ? "Key or token" : "Token");
  say(find("sign-in-error"), error);
  if (dialog.open) return;
  find("token").value = "";
  dialog.showModal();
}

// -- orders

const DRAIN_SERVICE = {
  name: "Drain the service", path: "operator/drain", body: {}, done: "The service takes no more work.",
  words: "Take no more work, and finish what is in hand. Only a restart of the service undoes it.",
};

/** Show what can be done to an actor. */
export function offerFor(row) {
  const order = (name, path, body, words, done) => ({ name, path, body: { path: row.path, ...body }, words, done: `${row.path}: ${done}` });
  const steer = (name, state, words, done) => order(name, "operator/breaker", { state }, words, done);
  const orders = [];
  orders.push(order("Restart", "operator/restart", {}, row.role === "model"
    ? "Stop it in order and load it anew. What it has in hand is finished first, within its shutdown time."
    : "Stop it and all below it in order, and start it again.", "restarted."));
  if (row.circuit && row.state !== "stopped") {
    orders.push(order("Drain", "operator/drain", {}, "Send it no more requests, finish what it has in hand, then stop it. Restart brings it back.", "drained, and stopped."));
  }
  if (row.circuit && row.forced !== "open") {
    orders.push(steer("Trip its circuit", "open", "Send it no more requests; it stays loaded. Its fallbacks answer until you let go.", "its circuit is held open."));
  }
  if (row.forced) {
    orders.push(steer("Let go of its circuit", "free", "Let it open and close by itself again.", "its circuit is its own again."));
  }
  if (row.circuit) {
    orders.push(steer("Reset its circuit", "reset", "Close it, and forget the failures that it has counted.", "its circuit is reset."));
  }
  if (row.role === "router") {
    const held = row.quarantined ?? 0;
    orders.push(order("Clear the quarantine", "operator/quarantine/clear", {}, held
      ? `Take the ${held} kinds of requests again that are refused for having taken down workers.`
      : "Take requests again that are refused for having taken down workers. There are none now.", "the quarantine is cleared."));
  }
  offer(row.path, `${row.role}, ${row.state}${row.running ? `, ${row.running} in hand` : ""}`, orders);
}

function offer(title, state, orders) {
  say(find("actions-title"), title);
  say(find("actions-state"), state);
  say(find("actions-error"), "");
  find("actions").replaceChildren(...orders.map((each) => {
    const button = make("button", { type: "button" }, each.name);
    button.addEventListener("click", () => give(each, button));
    return make("li", {}, button, make("p", { class: "soft" }, each.words));
  }));
  find("actions-dialog").showModal();
}

async function give(order, button) {
  const buttons = find("actions").querySelectorAll("button");
  say(find("actions-error"), "");
  buttons.forEach((each) => { each.disabled = true; });
  button.classList.add("is-busy");
  try {
    const response = await fetch(order.path, {
      method: "POST",
      headers: token.headers({ "Content-Type": "application/json" }),
      body: JSON.stringify(order.body),
    });
    if (!response.ok) throw new Error(await refusalOf(response));
    find("actions-dialog").close();
    toast(order.done);
  } catch (error) {
    say(find("actions-error"), error instanceof TypeError ? "The service can't be reached." : error.message);
  } finally {
    button.classList.remove("is-busy");
    buttons.forEach((each) => { each.disabled = false; });
  }
}

let toastTimer;

function toast(words) {
  clearTimeout(toastTimer);
  say(find("toast"), words);
  show(find("toast"), true);
  toastTimer = setTimeout(() => show(find("toast"), false), 6000);
}
