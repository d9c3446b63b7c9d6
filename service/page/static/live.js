// The stream of pictures, begun anew whenever it ends; none while nobody looks at the tab.

import * as clock from "./clock.js";
import { eventsOf, refusalOf } from "./events.js";
import * as token from "./token.js";

const SHORTEST_PAUSE = 500;
const LONGEST_PAUSE = 5000;
// One that ends sooner isn't begun anew at once: the service ends, say.
const SHORTEST_STREAM = 2000;

/**
 * Tell `heard` what comes, for as long as the page is open. heard has: hello, picture, noTree,
 * refused (the words of a refusal, whether it wants a key or token), lost.
 * Give a function that begins the stream anew, at once: with another token, say.
 */
export function listen(heard) {
  let attempt = new AbortController();
  let wake = () => {};

  // Give whether it may be begun anew at once ("on"), after a pause ("later"), or once there is
  // another token ("locked").
  async function listenOnce({ signal }) {
    const began = performance.now();
    const response = await fetch("live", { headers: token.headers(), signal, cache: "no-store" });
    if (!response.ok) {
      const words = await refusalOf(response);
      const isLocked = response.status === 401;
      if (!signal.aborted) heard.refused(words, isLocked);
      return isLocked ? "locked" : "later";
    }
    for await (const { name, data } of eventsOf(response)) {
      if (signal.aborted) return "later";
      if (name === "hello" || name === "beat") clock.set(data.at);
      if (name === "hello") heard.hello(data);
      else if (name === "picture") heard.picture(data);
      else if (name === "no_tree") heard.noTree(data.says);
      else if (name === "error") {
        heard.refused(data.error, false);
        return "later";
      }
    }
    return performance.now() - began > SHORTEST_STREAM ? "on" : "later";
  }

  async function listenOn() {
    let pause = SHORTEST_PAUSE;
    for (;;) {
      const mine = attempt;
      let next = "later";
      try {
        next = await listenOnce(mine);
      } catch {
        if (!mine.signal.aborted) heard.lost();
      }
      if (mine.signal.aborted) attempt = new AbortController();
      else if (next === "locked") await sleep(Infinity);
      else if (next === "later") await sleep(pause);
      pause = next === "on" ? SHORTEST_PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
      while (document.hidden) await sleep(LONGEST_PAUSE);
    }
  }

  function sleep(milliseconds) {
    return new Promise((resolve) => {
      wake = resolve;
      if (milliseconds < Infinity) setTimeout(resolve, milliseconds);
    });
  }

  function again() {
    attempt.abort();
    wake();
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? attempt.abort() : wake()));
  listenOn();
  return again;
}
