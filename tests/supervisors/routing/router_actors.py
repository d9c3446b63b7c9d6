"""Candidates for a router's tests: real actors that answer as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from failsoft.actors import Actor, handles, streams
from failsoft.messages import GenerateText, TextChunk, TextReply, Usage

Answer = str | Exception | asyncio.Event
USAGE = Usage(1, 2)


class Scripted(Actor):
    """Answer each request with the next thing of ``script``, for ever with the last one.

    A string is the text, an exception is raised, an event is waited for before going on to the
    next thing. ``seen`` counts requests over all incarnations.
    """

    def __init__(self, script: list[Answer], seen: list[str], ready: bool = True) -> None:
        self._script = script
        self._seen = seen
        self._ready = ready

    async def on_start(self) -> None:
        if not self._ready:
            self.context.defer_ready()

    def _next(self) -> Answer:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    @handles(GenerateText, interleave=True)
    async def _ask(self, request: GenerateText) -> TextReply:
        self._seen.append(str(request.prompt))
        while isinstance(answer := self._next(), asyncio.Event):
            await answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return TextReply(answer, "stop", USAGE)

    @streams(GenerateText)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        self._seen.append(str(request.prompt))
        while True:
            answer = self._next()
            if isinstance(answer, asyncio.Event):
                await answer.wait()
            elif isinstance(answer, Exception):
                raise answer
            elif answer == "END":
                yield TextChunk("", finish_reason="stop", usage=USAGE)
                return
            else:
                yield TextChunk(answer)


def scripted(*script: Answer, seen: list[str] | None = None) -> Callable[[], Scripted]:
    """Give what makes a ``Scripted``; the script goes on over restarts."""
    left, counted = list(script), [] if seen is None else seen
    return lambda: Scripted(left, counted)
