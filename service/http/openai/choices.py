"""Choices: one request to the OpenAI API that has several answers, made side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import msgspec

from failsoft.actors import Ref
from failsoft.messages import GenerateImage, GenerateText, Request, TextChunk
from failsoft.service.http.error_body import openai_body
from failsoft.service.http.event_stream import sending_events
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.refusals import InvalidBody

AnswerT = TypeVar("AnswerT")
SeededT = TypeVar("SeededT", GenerateText, GenerateImage)

Write = Callable[[int, TextChunk], bytes]
Stream = Callable[[int, GenerateText], Coroutine[Any, Any, None]]

_DONE = b"[DONE]"


def multiplied(request: SeededT, n: int) -> list[SeededT]:
    """Give ``n`` requests; with a seed, each has another one, for they would all be the same."""
    if n == 1 or request.seed is None:
        return [request] * n
    # Wrapped round, so that the last of them are seeds too.
    seeds = ((request.seed + number + 2**63) % 2**64 - 2**63 for number in range(n))
    return [msgspec.structs.replace(request, seed=seed) for seed in seeds]


def check_choices(exchange: Exchange, choices: int) -> None:
    """Raise InvalidBody where there would be too many."""
    most = exchange.gateway.policy.max_choices
    if choices > most:
        said = f"asks for {choices} answers; at most {most} are made for one request"
        raise InvalidBody.in_fields({"n": said})


async def ask_all(
    exchange: Exchange, ref: Ref, requests: Sequence[Request[AnswerT]]
) -> list[AnswerT]:
    """Ask for all; where one fails, the others are called off, and its error is raised."""
    if len(requests) == 1:
        return [await exchange.ask(ref, requests[0])]
    with exchange.watched():
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(ref.ask(request, deadline=exchange.deadline))
                for request in requests
            ]
    return [task.result() for task in asked]


async def stream_all(
    exchange: Exchange,
    ref: Ref,
    requests: Sequence[GenerateText],
    write: Write,
    write_end: Callable[[], bytes | None],
) -> None:
    """Send the chunks of all as events.

    write: gives the event for a chunk of a choice. write_end: gives one more, or None.

    Raise what ``sending_events`` raises.
    """
    sending = asyncio.Lock()

    async def stream(index: int, request: GenerateText) -> None:
        async with exchange.stream(ref, request) as chunks:
            async for chunk in chunks:
                async with sending:
                    await exchange.send_event(write(index, chunk))

    async with sending_events(exchange, openai_body):
        await _all(stream, requests)
        if (last := write_end()) is not None:
            await exchange.send_event(last)
        await exchange.send_event(_DONE)


async def _all(stream: Stream, requests: Sequence[GenerateText]) -> None:
    if len(requests) == 1:
        await stream(0, requests[0])
        return
    async with asyncio.TaskGroup() as group:
        for index, request in enumerate(requests):
            group.create_task(stream(index, request))
