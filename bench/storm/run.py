"""A run of chaos: callers and trouble on one system, held against what there was before."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from random import Random
from time import monotonic

from bench.storm.callers import Callers
from bench.storm.calm import Family, Holdings, holdings
from bench.storm.ground import HERE, Here
from bench.storm.ledger import Ledger
from bench.storm.report import Report
from bench.storm.tree import router_paths, tree
from bench.storm.trouble import Trouble
from failsoft.actors import System
from failsoft.messages.events import WorkerEnded, WorkerHung
from failsoft.testing import LeakFound, running_system

CALLERS = 16
# Of the kills, those after which memory counts as what it is.
_WARM_UP = 0.2


class Run:
    """Disturb one system. Its figures are there when it is over."""

    def __init__(self, system: System, seed: int, kills: int, seconds: float, ground: Here) -> None:
        self.ledger = Ledger(system.events, router_paths())
        self.trouble = Trouble(system, Random(seed), ground)
        self.family = Family(ground)
        self._ground = ground
        self.ended: Counter[str] = Counter()
        self._system = system
        self._callers = Callers(system, self.ledger, seed, CALLERS)
        self._random = Random(f"{seed}/pauses")
        self._kills = kills
        self._until = monotonic() + seconds
        system.events.subscribe(self._hear, WorkerEnded, WorkerHung)

    async def go(self, tell: Callable[[str], object]) -> tuple[Holdings, Holdings]:
        """Do all of it; give what was held after the warm-up, and at the end."""
        async with asyncio.TaskGroup() as group:
            tasks = self._callers.begin(group)
            await self._trouble(max(1, int(self._kills * _WARM_UP)), tell)
            before = await self._rest()
            self._callers.go_on()
            await self._trouble(self._kills, tell)
            after = await self._rest()
            for task in tasks:
                task.cancel()
        return before, after

    async def _trouble(self, kills: int, tell: Callable[[str], object]) -> None:
        """Make trouble until there were ``kills`` in all, or the time is over."""
        while self.trouble.kills < kills and monotonic() < self._until:
            await asyncio.sleep(self._random.expovariate(1 / self._ground.pause))
            hit = self.trouble.kills
            await self.trouble.happen()
            self.family.note()
            if hit // 50 != self.trouble.kills // 50:
                tell(f"{self.trouble.kills} kills, {self.ledger.asked} requests")

    async def _rest(self) -> Holdings:
        await self._callers.pause()
        return await holdings(self._system, self.family, self._ground)

    def _hear(self, event: object) -> None:
        if isinstance(event, WorkerHung):
            self.ended["hung"] += 1
        elif isinstance(event, WorkerEnded) and not event.asked:
            self.ended["lost"] += 1


@contextlib.asynccontextmanager
async def _disturbed(seed: int, left: list[str], ground: Here) -> AsyncIterator[System]:
    """Run the tree; write down what it leaves behind."""
    try:
        async with running_system(seed=seed) as system:
            await system.spawn(tree(ground.worker).start, "root")
            yield system
    except LeakFound as leak:
        left += (*leak.tasks, *leak.descriptors, *leak.errors)
        left += (each for each in leak.processes if ground.is_left(each))


async def run(
    seed: int,
    kills: int,
    seconds: float = 300.0,
    tell: Callable[[str], object] = print,
    ground: Here = HERE,
) -> Report:
    """Kill ``kills`` processes, in at most ``seconds``, and give the figures."""
    began, left = monotonic(), list[str]()
    async with _disturbed(seed, left, ground) as system:
        disturbed = Run(system, seed, kills, seconds, ground)
        before, after = await disturbed.go(tell)
    ledger, trouble = disturbed.ledger, disturbed.trouble
    orphans = {*before.orphans, *after.orphans, *disturbed.family.orphans()}
    return Report(
        seed=seed,
        seconds=round(monotonic() - began, 1),
        kills_asked=kills,
        kills=trouble.kills,
        kills_by_moment=dict(trouble.by_moment),
        kills_by_signal=dict(trouble.by_signal),
        out_of_memory=trouble.out_of_memory,
        deaths=disturbed.ended["lost"],
        hung=disturbed.ended["hung"],
        requests=ledger.asked,
        answered=ledger.answered,
        refused=dict(ledger.refused),
        cancelled=ledger.cancelled,
        lost=ledger.lost,
        twice=ledger.answered_twice,
        wrong=ledger.wrong,
        silent=ledger.silent,
        both=ledger.both,
        orphans=len(orphans),
        not_ready=(*before.not_ready, *after.not_ready),
        descriptor_growth=after.descriptors - before.descriptors,
        rss_growth_bytes=after.rss_bytes - before.rss_bytes,
        left=tuple(left),
        complaints=tuple(ledger.complaints),
    )
