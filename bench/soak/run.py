"""A run of the soak: rounds of traffic and faults, and after each a look at what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic
from typing import Final

import httpx2
import msgspec

from bench.soak.calm import restless
from bench.soak.faults import Faults, Tree
from bench.soak.growth import growths
from bench.soak.ledger import Ends, Told, added, told_wrong
from bench.soak.order import Order
from bench.soak.report import Report
from bench.soak.sample import Sample, Sampler, Scraped, scraped
from bench.soak.service import Service
from bench.storm.victims import by_name
from failsoft.actors import TreeNode
from failsoft.service.demo_receiver import DemoReceiver

# So many rounds, of at least and at most so many seconds.
ROUNDS: Final = 30
_SHORTEST: Final = 8.0
_LONGEST: Final = 60.0
_SAMPLES_APART: Final = 5.0
# Seconds in which torch is imported and all models are loaded, on a machine with other work; and
# in which all is ready again after the last fault, whatever that was.
_CALM_WITHIN: Final = 180.0
# In which its connections are closed, and its log is written.
_SETTLES: Final = 2.0
_LAST_ROUND: Final = 6.0
_MOST_LINE: Final = 64 * 1024 * 1024


class Run:
    """Soak one service. Its figures are there when it is over."""

    def __init__(self, service: Service, clients: asyncio.subprocess.Process, seed: int) -> None:
        self.samples: list[Sample] = []
        self.ends: Ends = {}
        self.asked = self.bursts = self.rounds = 0
        self.bad: list[str] = []
        self.not_ready: list[str] = []
        self.outside: set[str] = set()
        self.left: list[str] = []
        self.faults = Faults(service, seed, self._look, self.now)
        self._service = service
        self._clients = clients
        self._sampler = Sampler(service.pid)
        self._began = monotonic()
        self._shared: set[str] = set()
        self._temporary: set[str] = set()
        self._http = httpx2.AsyncClient(
            base_url=service.url, timeout=30.0, headers={"Connection": "close"}
        )

    def now(self) -> float:
        return monotonic() - self._began

    async def go(self, seconds: float, tell: Callable[[str], object]) -> int | None:
        """Do all of it; give the service's exit status."""
        round_seconds = min(_LONGEST, max(_SHORTEST, seconds / ROUNDS))
        async with self._http:
            tell(", ".join(await self._settle()) or "all ready")
            self._began = monotonic()
            while self.now() < seconds:
                await self._round(Order(round_seconds))
                sample = self.samples[-1]
                tell(
                    f"{self.now():4.0f} s: {self.asked} asked, {len(self.faults.happened)} faults, "
                    f"{len(self.bad)} bad; {sample.service:.1f} MiB, {sample.descriptors} "
                    f"descriptors, {sample.threads} threads, {sample.tasks} tasks"
                )
            return await self._end()

    async def _round(self, order: Order) -> None:
        self._service.log.begin_round()
        sampling = asyncio.create_task(self._sample_on())
        try:
            asking = asyncio.create_task(self._ask(order))
            await self.faults.happen_for(order.seconds)
            self._service.reload(self._service.tree)
            told = await asking
        finally:
            sampling.cancel()
        self.not_ready += await self._settle()
        await asyncio.sleep(_SETTLES)
        self._take_down(told)
        await self._sample(is_calm=True)
        self.outside |= set(self._service.outside())
        self._shared |= self._service.shared()
        # What lies there after the first round, and stays: a lock, a folder of torch's.
        self._temporary = self._temporary or self._service.temporary()
        self.rounds += 1

    async def _end(self) -> int | None:
        """Have it end in the midst of a round."""
        self._service.log.begin_round()
        asking = asyncio.create_task(self._ask(Order(_LAST_ROUND, is_ending=True)))
        await asyncio.sleep(_LAST_ROUND / 2)
        status = await self._service.end()
        self._take_down(await asking)
        # Workers have 2 s to be gone.
        await asyncio.sleep(_SETTLES)
        self.outside |= set(self._service.outside())
        self.left = self._service.left_of(self._shared, before=self._temporary)
        return status

    async def _ask(self, order: Order) -> Told:
        stdin, stdout = self._clients.stdin, self._clients.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(msgspec.json.encode(order) + b"\n")
        await stdin.drain()
        return msgspec.json.decode(await stdout.readline(), type=Told)

    def _take_down(self, told: Told) -> None:
        log = self._service.log
        log.read()
        self.asked += told.asked
        self.bursts += told.bursts
        self.ends = added(self.ends, told.ends)
        self.bad += told.complaints + told_wrong(told, log.finished)

    async def _settle(self) -> tuple[str, ...]:
        """Wait until all is ready; give what isn't in time."""
        until = self.now() + _CALM_WITHIN
        left: tuple[str, ...] = ("the service: it doesn't answer",)
        while left and self.now() < until:
            await asyncio.sleep(0.2)
            tree = await self._look()
            if tree is not None:
                workers = by_name(self._service.pid).get("failsoft-worker", [])
                left = restless(tree, len(workers))
        return left

    async def _look(self) -> Tree | None:
        with contextlib.suppress(httpx2.TransportError, msgspec.DecodeError):
            answer = await self._http.get("/tree")
            return msgspec.json.decode(answer.content, type=tuple[TreeNode, ...])
        return None

    async def _sample_on(self) -> None:
        while True:
            await asyncio.sleep(_SAMPLES_APART)
            await self._sample(is_calm=False)

    async def _sample(self, *, is_calm: bool) -> None:
        try:
            told = await self._scrape()
            self.samples.append(self._sampler.take(self.now(), told, is_calm=is_calm))
        except (httpx2.TransportError, OSError) as error:
            self.bad.append(f"a scrape: {error!r}")

    async def _scrape(self) -> Scraped:
        return scraped((await self._http.get("/metrics")).text)


@contextlib.asynccontextmanager
async def _asking(url: str, seed: int, rate: float) -> AsyncIterator[asyncio.subprocess.Process]:
    clients = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.soak.clients", url, str(seed), str(rate)),
        stdin=PIPE,
        stdout=PIPE,
        limit=_MOST_LINE,
    )
    try:
        yield clients
    finally:
        if clients.returncode is None:
            clients.kill()
        await clients.wait()


async def run(
    seed: int, seconds: float, rate: float, folder: Path, tell: Callable[[str], object] = print
) -> Report:
    """Soak a service for so long, and give the figures. folder: of its files, and is emptied."""
    with DemoReceiver() as receiver:
        service = Service(folder, receiver.url)
        try:
            await service.start()
            async with _asking(service.url, seed, rate) as clients:
                soaked = Run(service, clients, seed)
                status = await soaked.go(seconds, tell)
        finally:
            service.kill()
        took = soaked.samples[-1].at
        return Report(
            seed=seed,
            seconds=took,
            rate=rate,
            rounds=soaked.rounds,
            asked=soaked.asked,
            bursts=soaked.bursts,
            ends=soaked.ends,
            bad=tuple(soaked.bad),
            faults=tuple(soaked.faults.happened),
            signals=dict(soaked.faults.signals),
            alerts=len(receiver.alerts),
            not_ready=tuple(soaked.not_ready),
            still_in_hand=tuple(
                f"{each.in_hand} at {each.at:.0f} s"
                for each in soaked.samples
                if each.is_calm and each.in_hand
            ),
            status=status,
            orphans=tuple(sorted(soaked.outside)),
            left=tuple(soaked.left),
            growths=growths(soaked.samples, took),
            samples=tuple(soaked.samples),
            said=dict(service.log.said.most_common()),
            errors=service.log.errors,
            shown=tuple(service.log.shown),
        )
