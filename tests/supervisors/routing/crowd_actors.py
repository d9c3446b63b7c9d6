"""Models that take time, and say how they were asked; and callers, one by one or in crowds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from failsoft.actors import Actor, Ref, current_correlation_id, current_deadline, handles, streams
from failsoft.messages import GenerateText, TextChunk, TextReply, Usage
from failsoft.supervisors import Admission, Limit

MARK: ContextVar[str] = ContextVar("mark", default="nobody")


@dataclass
class Log:
    """Remember, over all incarnations, what a model was asked, and in which context.

    stopped: prompts whose handlers were called off. most: handlers at a time.
    """

    prompts: list[str] = field(default_factory=list)
    max_tokens: list[int] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    correlation_ids: list[str | None] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    running: int = 0
    most: int = 0

    def begin(self, request: GenerateText) -> str:
        prompt = str(request.prompt)
        self.prompts.append(prompt)
        self.max_tokens.append(request.max_tokens)
        self.marks.append(MARK.get())
        self.correlation_ids.append(current_correlation_id())
        self.deadlines.append(current_deadline())
        self.running += 1
        self.most = max(self.most, self.running)
        return prompt


class Timed(Actor):
    """Answer after ``seconds(log)``, with its prompt; an exception that this gives is raised.

    It leaves its own mark in the context, which nobody else may see. A stream gives a chunk at
    once, and its prompt in a second one.
    """

    max_interleaved = 10_000

    def __init__(self, log: Log, seconds: Callable[[Log], float | Exception]) -> None:
        self._log = log
        self._seconds = seconds

    @handles(GenerateText, interleave=True, cancellable=True)
    async def _ask(self, request: GenerateText) -> TextReply:
        prompt = self._log.begin(request)
        await self._work(prompt)
        return TextReply(prompt, "stop", Usage(1, 2))

    @streams(GenerateText, interleave=True)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        prompt = self._log.begin(request)
        await self._work(prompt)
        yield TextChunk(prompt)
        yield TextChunk("", tokens=0, finish_reason="stop", usage=Usage(1, 2))

    async def _work(self, prompt: str) -> None:
        MARK.set(f"left here for {prompt}")
        try:
            seconds = self._seconds(self._log)
            if isinstance(seconds, Exception):
                raise seconds
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self._log.stopped.append(prompt)
            raise
        finally:
            self._log.running -= 1


def timed(log: Log, *seconds: float | Exception) -> Callable[[], Timed]:
    """Give what makes a ``Timed``: the times in order, the last one for ever."""
    left = list(seconds)

    def next_seconds(_log: Log) -> float | Exception:
        return left.pop(0) if len(left) > 1 else left[0]

    return lambda: Timed(log, next_seconds)


def fixed(limit: int, queue_limit: int = 256, **fields: float) -> Admission:
    """Give an admission with so many at a time."""
    return Admission(limit=Limit.fixed(limit), queue_limit=queue_limit, **fields)


async def asking(
    ref: Ref,
    prompt: str,
    *,
    timeout: float | None = None,  # noqa: ASYNC109  (the request's, not this wait's)
    priority: int = 0,
    tenant: str = "",
) -> asyncio.Task[TextReply]:
    """Ask in a task of its own; its request has arrived when this returns."""
    request = GenerateText(prompt, priority=priority, tenant=tenant)
    task = asyncio.ensure_future(ref.ask(request, timeout=timeout))
    await settled()
    return task


async def settled() -> None:
    """Let all that is due now be done."""
    for _ in range(20):
        await asyncio.sleep(0)
