"""Callers: so many at a time, each asks, waits or goes away, thinks, and asks again."""

from __future__ import annotations

import asyncio
import itertools
from random import Random

from bench.storm.ledger import Ledger
from bench.storm.question import PATIENCE, Question, draw
from failsoft.actors import System

# Seconds, on the average, between an end and the next question.
THINKS = 0.05


class Callers:
    """Be ``count`` callers of a system's routers, from ``run`` on until ``end``."""

    def __init__(self, system: System, ledger: Ledger, seed: int, count: int) -> None:
        self._system = system
        self._ledger = ledger
        self._randoms = [Random(f"{seed}/{number}") for number in range(count)]
        self._numbers = itertools.count(1)
        self._open: dict[asyncio.Task[None], Question] = {}
        self._may_ask = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Callers {len(self._randoms)}, {len(self._open)} of them waiting>"

    def begin(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Have them all ask; give their tasks, to be cancelled at the end."""
        self._may_ask.set()
        return [group.create_task(self._call(random)) for random in self._randoms]

    async def pause(self) -> None:
        """Have them ask nothing more; return when all have their answers, or never will."""
        self._may_ask.clear()
        if not self._open:
            return
        _, endless = await asyncio.wait(self._open, timeout=2 * PATIENCE)
        for task in endless:
            self._ledger.never_ended(self._open[task])
            task.cancel()

    def go_on(self) -> None:
        self._may_ask.set()

    async def _call(self, random: Random) -> None:
        while True:
            await asyncio.sleep(random.expovariate(1 / THINKS))
            await self._may_ask.wait()
            question = draw(random, next(self._numbers))
            ref = self._system.ref(question.router)
            task = asyncio.create_task(self._ledger.ask(ref, question))
            self._open[task] = question
            task.add_done_callback(self._open.pop)
            await asyncio.wait([task], timeout=question.leaves_after)
            task.cancel()
            await asyncio.wait([task])
