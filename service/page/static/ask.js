// The try-it box: asks a model, shows its answer as it comes, and which model gave it.

import * as clock from "./clock.js";
import { find, make, say, show } from "./dom.js";
import { eventsOf, refusalOf } from "./events.js";
import * as token from "./token.js";

let stopping = null;
let offered = "";

/** Set up the form. */
export function begin() {
  find("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  find("ask-stop").addEventListener("click", () => stopping?.abort());
  find("ask-prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) find("ask").requestSubmit();
  });
}

/** Offer the models that can be asked for texts. */
export function showPicture(picture) {
  const key = picture.models.join("\n");
  if (key === offered) return;
  offered = key;
  const select = find("ask-model");
  const chosen = select.value;
  select.replaceChildren(...picture.models.map((name) => make("option", { value: name, selected: name === chosen }, name)));
  find("ask-send").disabled = picture.models.length === 0;
  say(find("ask-state"), picture.models.length ? "" : "No model here makes texts.");
}

async function ask() {
  if (stopping !== null) return;
  stopping = new AbortController();
  const began = performance.now();
  const shown = { text: "", model: "", tokens: null, first: null, id: "" };
  begins();
  try {
    const response = await fetch("v1/chat/completions", {
      method: "POST",
      headers: token.headers({ "Content-Type": "application/json" }),
      signal: stopping.signal,
      body: JSON.stringify({
        model: find("ask-model").value,
        messages: [{ role: "user", content: find("ask-prompt").value }],
        max_completion_tokens: Number(find("ask-tokens").value),
        stream: true,
        stream_options: { include_usage: true },
      }),
    });
    shown.id = response.headers.get("x-correlation-id") ?? "";
    if (!response.ok) throw new Error(await refusalOf(response));
    for await (const { data } of eventsOf(response)) {
      if (data === null) break;
      if (data.error) throw new Error(data.error.message);
      heed(data, shown, began);
    }
    say(find("answer-made"), howMade(shown, (performance.now() - began) / 1000));
    say(find("ask-state"), "Done.");
  } catch (error) {
    say(find("ask-state"), "");
    say(find("answer-made"), wordsOf(error, shown));
    find("answer").dataset.hasFailed = String(!stopping.signal.aborted);
  } finally {
    stopping = null;
    find("ask-send").disabled = false;
    show(find("ask-stop"), false);
  }
}

function begins() {
  find("ask-send").disabled = true;
  show(find("ask-stop"), true);
  show(find("answer"), true);
  find("answer").dataset.hasFailed = "false";
  say(find("answer-text"), "");
  say(find("answer-made"), "");
  say(find("ask-state"), "Waiting for the first token…");
}

function heed(data, shown, began) {
  const choice = data.choices?.[0];
  if (choice?.delta?.content) {
    shown.first ??= (performance.now() - began) / 1000;
    shown.text += choice.delta.content;
    say(find("answer-text"), shown.text);
    say(find("ask-state"), "It answers…");
  }
  if (data.failsoft) shown.made = data.failsoft;
  if (data.usage) shown.tokens = data.usage.completion_tokens;
}

function howMade({ made, tokens, first, id }, seconds) {
  const parts = [];
  if (made) {
    parts.push(`Answered by ${made.model_used}${made.was_fallback ? ", which stood in for the first choice" : ""}`);
    if (made.attempts > 1) parts.push(`${made.attempts} attempts`);
  }
  if (tokens !== null) parts.push(`${tokens} tokens in ${clock.took(seconds)}`);
  if (first !== null) parts.push(`the first after ${clock.took(first)}`);
  if (made?.warning) parts.push(made.warning);
  return `${parts.join("; ")}.${id ? ` Correlation id ${id}` : ""}`;
}

function wordsOf(error, shown) {
  const id = shown.id ? ` Correlation id ${shown.id}` : "";
  if (error.name === "AbortError") return `Stopped. The model was told, and makes no more.${id}`;
  if (error instanceof TypeError) return "The service can't be reached.";
  return error.message + id;
}
