"""A stream whose worker is killed: how long its reader waits for the next token."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import msgspec

from bench.engines import texts
from bench.engines.supervised import PATIENCE, as_by_hand, asked
from bench.figures import Figure, against
from failsoft.actors import System, TreeNode
from failsoft.messages import GenerateText
from failsoft.messages.answered import Answered
from failsoft.messages.events import WorkerEnded, WorkerReady
from failsoft.supervisors import NO_WAIT, pool, router

MOST_GAP = 1.3
REPLICAS = 2
TOKENS = 24
# So many chunks have come when the worker is killed.
_CHUNKS = 8


async def gap(folder: Path, threads: int, rounds: int) -> list[Figure]:
    """Measure against what can't be spared: that the loss is seen, and all is read once more."""
    async with System() as system:
        scene = _Scene(system)
        replicas = pool("model", as_by_hand(folder, threads), replicas=REPLICAS, backoff=NO_WAIT)
        tree = router("bench", replicas, backoff=NO_WAIT)
        await system.spawn(tree.start, tree.id)
        pairs = [await scene.play() for _ in range(rounds)]
    return [
        against(
            *("the gap in a stream whose worker is killed", "s by the clock"),
            pairs,
            peer="the loss seen, and one prefill",
            less_is_better=True,
            is_rival=False,
            at_most=MOST_GAP,
        )
    ]


class _Scene:
    """Have streams interrupted, one after the other."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._ready = asyncio.Semaphore(0)
        self._ended_at, self._lost = 0.0, ""
        system.events.subscribe(lambda _: self._ready.release(), WorkerReady)
        system.events.subscribe(self._ended, WorkerEnded)
        self._missing = REPLICAS

    def _ended(self, event: WorkerEnded) -> None:
        self._ended_at, self._lost = time.perf_counter(), event.path

    async def play(self) -> tuple[float, float]:
        """Give the gap, and what it is made of at the least, in seconds."""
        for _ in range(self._missing):
            await self._ready.acquire()
        self._missing = 1
        request = asked(texts.one(TOKENS))
        killed_at, gap = await self._interrupted(request)
        return gap, self._ended_at - killed_at + await self._prefill(request)

    async def _interrupted(self, request: GenerateText) -> tuple[float, float]:
        """Kill the worker of a stream; give when that was, and the seconds to the next chunk."""
        chunks, killed_at, gap = 0, 0.0, 0.0
        async with self._system.ref("bench").stream(request, timeout=PATIENCE) as stream:
            async for _ in stream:
                chunks += 1
                if chunks == _CHUNKS:
                    os.kill(self._pid_of_busy(), signal.SIGKILL)
                    killed_at = time.perf_counter()
                elif chunks == _CHUNKS + 1:
                    gap = time.perf_counter() - killed_at
        return killed_at, gap

    async def _prefill(self, request: GenerateText) -> float:
        """Give the seconds to the next token where nothing is lost: all is read once."""
        ids: list[int] = []
        text = ""
        (replica,) = [node.path for node in self._replicas() if node.path != self._lost]
        async with self._system.ref(replica).stream(request, timeout=PATIENCE) as stream:
            async for chunk in stream:
                if len(ids) < _CHUNKS:
                    ids += chunk.token_ids
                    text += chunk.text
        rest = msgspec.structs.replace(request, answered=Answered(tuple(ids), text))
        began = time.perf_counter()
        async with self._system.ref(replica).stream(rest, timeout=PATIENCE) as stream:
            await anext(aiter(stream))
            return time.perf_counter() - began

    def _pid_of_busy(self) -> int:
        (pid,) = [node.shows["pid"] for node in self._replicas() if node.shows["running"]]
        return int(pid)

    def _replicas(self) -> list[TreeNode]:
        whole = [node for top in self._system.tree() for node in top.walk()]
        return [node for node in whole if node.path.startswith("bench/model/")]
