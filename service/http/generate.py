"""The service's own endpoints for texts."""

from __future__ import annotations

from typing import Final

from failsoft.messages import GenerateText, TextChunk
from failsoft.messages.validation import validate_text
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.error_body import plain_body
from failsoft.service.http.event_stream import sending_events
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.served_models import Served
from failsoft.service.http.text_bodies import GenerateAnswer, GenerateBody, TextEvent


async def generate(exchange: Exchange) -> None:
    """Answer with a text, and with how it came about; whole, or in pieces and then whole."""
    body = await exchange.read(GenerateBody)
    exchange.allow(body.timeout)
    request = exchange.check(validate_text, body.request(exchange.caller))
    served = exchange.gateway.find(GenerateText, body.model)
    if body.stream:
        await _stream(exchange, served, request)
    else:
        await exchange.answer(GenerateAnswer.of(await exchange.ask(served.ref, request)))


async def _stream(exchange: Exchange, served: Served, request: GenerateText) -> None:
    async with sending_events(exchange, plain_body, "error"):
        chunks: list[TextChunk] = []
        async with exchange.stream(served.ref, request) as stream:
            async for chunk in stream:
                chunks.append(chunk)
                if chunk.tokens or chunk.text:
                    await exchange.send_event(TextEvent.of(chunk), "chunk")
        await exchange.send_event(GenerateAnswer.joined(chunks), "reply")


def _text(path: str, summary: str) -> Endpoint:
    return Endpoint(
        method="POST",
        path=path,
        summary=summary,
        handler=generate,
        body=GenerateBody,
        reply=GenerateAnswer,
        events={"chunk": TextEvent, "reply": GenerateAnswer},
        is_work=True,
    )


# One for all three: every answer tells which model gave it, after how many attempts, and at which
# level of degradation.
GENERATE: Final = (
    _text("/generate", "Make a text."),
    _text("/generate_resilient", "Make a text; the same as /generate."),
    _text("/adaptive_generate", "Make a text; the same as /generate."),
)
