"""A supervised model with a worker process that does as a script says, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from failsoft.actors import ModelActor, Ref, System
from failsoft.gpu import WorkerSpec
from failsoft.messages import (
    GenerateText,
)
from failsoft.messages.events import (
    Event,
)
from failsoft.supervisors import NO_WAIT, Intensity, child, supervisor

HELLO = GenerateText("hello there")
PATIENT = 60.0


class Events:
    """Remember events, and wait for those to come."""

    def __init__(self, system: System) -> None:
        self.seen: list[Event] = []
        self._news = asyncio.Event()
        system.events.subscribe(self._hear)

    def _hear(self, event: Event) -> None:
        self.seen.append(event)
        self._news.set()

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.seen if isinstance(event, kind)]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until ``holds()`` after some event."""
        async with asyncio.timeout(PATIENT):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def count(self, kind: type[Event], times: int) -> None:
        await self.until(lambda: len(self.of(kind)) >= times)


@contextlib.asynccontextmanager
async def serving(
    worker: WorkerSpec, *, queue_limit: int = 64, max_in_worker: int = 2
) -> AsyncIterator[tuple[System, Ref, Events]]:
    """Run one supervised model; give the system, the model's ref and the events."""
    start = functools.partial(
        ModelActor, worker, queue_limit=queue_limit, max_in_worker=max_in_worker
    )
    async with System() as system:
        events = Events(system)
        tree = supervisor(
            "root",
            child("model", start, shutdown=5.0),
            backoff=NO_WAIT,
            intensity=Intensity(max_restarts=5),
        )
        await system.spawn(tree.start, "root")
        yield system, system.ref("root/model"), events


async def open_gate(fifo: Path) -> None:
    """Let a worker go on that waits for ``fifo``."""
    await asyncio.to_thread(lambda: os.close(os.open(fifo, os.O_WRONLY)))


def pid_of(system: System) -> int:
    (root,) = system.tree()
    pid: int = root.children[0].shows["pid"]
    return pid
