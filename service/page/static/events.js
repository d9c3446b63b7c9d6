// Server-sent events by fetch: EventSource can't send a token, nor ask with a body.

/** Give the events of an answer: { name, data }, the data parsed. */
export async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) yield eventOf(part);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function eventOf(part) {
  let name = "message";
  let data = "";
  for (const line of part.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  return { name, data: data === "[DONE]" ? null : JSON.parse(data) };
}

/** Give what an answer that is no success says, in words. */
export async function refusalOf(response) {
  const body = await response.json().catch(() => ({}));
  const error = body.error;
  return (typeof error === "string" ? error : error?.message) ?? `The service answered ${response.status}.`;
}
