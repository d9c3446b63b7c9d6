"""Messages and actors that the runtime's tests have in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from failsoft.actors import Actor, ExitReason, Reply, handles, streams
from failsoft.messages import Control, Message, Request, Streamed


class Note(Message, frozen=True):
    """Be written down."""

    value: object


class Urgent(Control, frozen=True):
    """Be written down, ahead of all work."""

    value: object


class Noted(Request[list[Any]], frozen=True):
    """Ask for what was written down."""


class Work(Request[str], frozen=True):
    """Ask for something that takes until ``Busy.gate`` is set."""

    name: str = "work"


class Boom(Request[None], frozen=True):
    """Make the handler raise."""

    error: BaseException


class Numbers(Streamed[int], frozen=True):
    """Ask for the numbers from 0."""

    count: int


async def quiet() -> None:
    """Wait until nothing can run any more but by time: the virtual clock moves only then."""
    await asyncio.sleep(1e-9)


class Notebook(Actor):
    """Write down what comes; fail as told."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    @handles(Note)
    def note(self, message: Note) -> None:
        self.notes.append(message.value)

    @handles(Urgent)
    def urgent(self, message: Urgent) -> None:
        self.notes.append(message.value)

    @handles(Noted)
    def noted(self, _message: Noted) -> list[Any]:
        return list(self.notes)

    @handles(Boom)
    def boom(self, message: Boom) -> None:
        raise message.error


class Busy(Notebook):
    """Work until the gate is open; write down how each handler ended."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.started = asyncio.Event()
        self.reason: ExitReason | None = None

    async def on_stop(self, reason: ExitReason) -> None:
        self.reason = reason

    @handles(Work)
    async def work(self, message: Work) -> str:
        self.notes.append(f"start {message.name}")
        self.started.set()
        try:
            await self.gate.wait()
        finally:
            self.notes.append(f"end {message.name}")
        return message.name


class Interleaving(Busy):
    """Work on several things at once."""

    max_interleaved = 2

    @handles(Work, interleave=True)
    async def work(self, message: Work) -> str:
        return await super().work(message)  # type: ignore[no-any-return]


class Cancellable(Busy):
    """Stop working when nobody waits any more."""

    @handles(Work, cancellable=True)
    async def work(self, message: Work) -> str:
        return await super().work(message)  # type: ignore[no-any-return]


class Deferring(Notebook):
    """Take answers over, to give them later."""

    def __init__(self) -> None:
        super().__init__()
        self.owed: list[Reply[str]] = []

    @handles(Work)
    def work(self, _message: Work) -> Reply[str]:
        reply = self.context.defer()
        self.owed.append(reply)
        return reply


class Counting(Actor):
    """Stream numbers; keep account of how far the producer got, and whether it was closed."""

    def __init__(self) -> None:
        self.made = 0
        self.is_closed = False
        self.error: Exception | None = None

    @streams(Numbers)
    async def numbers(self, message: Numbers) -> AsyncIterator[int]:
        try:
            for number in range(message.count):
                self.made += 1
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.is_closed = True
