"""Ours: the same model in a worker process, under a supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from bench.engines.texts import Text
from bench.engines.took import Took, processor_seconds
from failsoft.actors import ModelActor, Ref, System
from failsoft.gpu import WorkerSpec, text_worker
from failsoft.messages import GenerateText
from failsoft.messages.events import StandbyPromoted, StandbyReady, WorkerEnded, WorkerReady
from failsoft.supervisors import NO_WAIT, ChildSpec, Intensity, child, supervisor

PATIENCE = 600.0
_MOST_KILLS = 1000


class Supervised:
    """Have a supervised model answer texts, and tell what it took.

    pid: of the worker that serves. spare: of the one that stands by.
    """

    def __init__(self, system: System, path: str) -> None:
        self.pid = self.spare = 0
        self._system = system
        self._path = path
        self._ready = asyncio.Event()
        self._ended = asyncio.Event()
        self._spare_ready = asyncio.Event()
        subscribe = system.events.subscribe
        subscribe(self._serves, WorkerReady, StandbyPromoted)
        subscribe(self._stands_by, StandbyReady)
        subscribe(lambda _event: self._ended.set(), WorkerEnded)

    @property
    def ref(self) -> Ref:
        return self._system.ref(self._path)

    def _serves(self, event: WorkerReady | StandbyPromoted) -> None:
        self.pid = event.pid
        self._ready.set()

    def _stands_by(self, event: StandbyReady) -> None:
        self.spare = event.pid
        self._spare_ready.set()

    async def ready(self) -> None:
        """Wait until the model has loaded."""
        await self._ready.wait()

    async def spare_ready(self) -> None:
        """Wait until the spare worker has loaded too."""
        await self._spare_ready.wait()

    async def kill(self) -> None:
        """End the worker with SIGKILL; return when that is known, and callers are told."""
        self._ended.clear()
        self._ready.clear()
        self._spare_ready.clear()
        os.kill(self.pid, signal.SIGKILL)
        await self._ended.wait()

    def processor(self) -> float:
        """Give the processor time so far, of the service and of the worker that serves."""
        return time.process_time() + processor_seconds(self.pid)

    async def serve(self, texts: Sequence[Text]) -> Took:
        """Have each of ``texts`` answered as a stream from when it comes."""
        busy, began = self.processor(), time.perf_counter()
        chunks: list[tuple[float, int]] = []
        spans = await asyncio.gather(*(self._stream(text, began, chunks) for text in texts))
        wall, processor = time.perf_counter() - began, self.processor() - busy
        made = [(0.0, 0)]
        for at, tokens in chunks:
            made.append((at, made[-1][1] + tokens))
        firsts, lasts = zip(*spans, strict=True)
        return Took(wall, processor, made[-1][1], firsts, lasts, tuple(made))

    async def _stream(
        self, text: Text, began: float, chunks: list[tuple[float, int]]
    ) -> tuple[float, float]:
        """Read one stream; give when it had its first and its last token, since it came."""
        if text.at > 0:
            await asyncio.sleep(began + text.at - time.perf_counter())
        times = []
        async with self.ref.stream(asked(text), timeout=PATIENCE) as stream:
            async for chunk in stream:
                now = time.perf_counter() - began
                if chunk.tokens:
                    times.append(now - text.at)
                    chunks.append((now, chunk.tokens))
        return times[0], times[-1]


def asked(text: Text) -> GenerateText:
    """Give the request for ``text``."""
    return GenerateText(text.prompt, max_tokens=text.max_tokens, temperature=0.0)


def as_by_hand(folder: Path, threads: int) -> WorkerSpec:
    """Describe a worker that reads each prompt anew, as the peer does, though it saw it before."""
    return text_worker(folder, threads=threads, prefix_tokens=0)


@contextlib.asynccontextmanager
async def supervised(worker: WorkerSpec, **options: Any) -> AsyncIterator[Supervised]:
    """Run one model under a supervisor, with the options of its actor; ready in the block."""
    tree = supervisor(
        "bench",
        child("model", functools.partial(ModelActor, worker, **options), shutdown=5.0),
        backoff=NO_WAIT,
        intensity=Intensity(max_restarts=_MOST_KILLS),
    )
    async with running(tree, "bench/model") as model:
        yield model


@contextlib.asynccontextmanager
async def running(tree: ChildSpec, path: str) -> AsyncIterator[Supervised]:
    """Run a tree with one model, which is asked by way of ``path``; ready in the block."""
    async with System() as system:
        model = Supervised(system, path)
        await system.spawn(tree.start, tree.id)
        await model.ready()
        yield model
