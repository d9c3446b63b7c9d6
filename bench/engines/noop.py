"""The way to a model that does nothing, in a process of its own, and back."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor

import msgspec

from bench.engines.noop_engine import AT_ONCE, REQUEST, answer, pid
from bench.engines.supervised import running, supervised
from bench.engines.took import processor_seconds
from bench.figures import Figure, against
from failsoft.gpu import WorkerSpec
from failsoft.supervisors import model, router

LEAST_PER_SECOND = 20_000.0
MOST_MICROSECONDS = 300.0
POOL = "ProcessPoolExecutor"

_WORKER = WorkerSpec(engine="bench.engines.noop_engine:Noop")
_WARM_UP = 1_000

Ask = Callable[[], Awaitable[object]]


class Way(msgspec.Struct, frozen=True):
    """Tell what a request costs on one way, in microseconds.

    alone: there and back, one after the other, by the clock. together: AT_ONCE at a time.
    service, worker: of their processor time, AT_ONCE at a time.
    """

    alone: float
    together: float
    service: float
    worker: float


async def measure_way(ask: Ask, worker: int, requests: int) -> Way:
    """Send ``requests`` that way, AT_ONCE at a time, and a tenth of them one after the other."""
    await _send(ask, _WARM_UP, AT_ONCE)
    few = requests // 10
    began = time.perf_counter()
    await _send(ask, few, 1)
    alone = (time.perf_counter() - began) / few
    began, service, busy = time.perf_counter(), time.process_time(), processor_seconds(worker)
    await _send(ask, requests, AT_ONCE)
    return Way(
        alone=1e6 * alone,
        together=1e6 * (time.perf_counter() - began) / requests,
        service=1e6 * (time.process_time() - service) / requests,
        worker=1e6 * (processor_seconds(worker) - busy) / requests,
    )


async def _send(ask: Ask, requests: int, at_once: int) -> None:
    left = requests

    async def one_after_the_other() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await ask()

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))


async def noop(*, requests: int, rounds: int) -> list[Figure]:
    """Measure ours, asked and routed, against a process pool of one, in turns."""
    loop = asyncio.get_running_loop()
    routed_tree = router("bench", model("first", _WORKER))
    ways: dict[str, list[Way]] = {"ask": [], "router": [], POOL: []}
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        in_pool = await loop.run_in_executor(pool, pid)
        async with supervised(_WORKER) as asked, running(routed_tree, "bench") as routed:
            sides: dict[str, tuple[Ask, int]] = {
                "ask": (lambda: asked.ref.ask(REQUEST), asked.pid),
                "router": (lambda: routed.ref.ask(REQUEST), routed.pid),
                POOL: (lambda: loop.run_in_executor(pool, answer, REQUEST), in_pool),
            }
            for _ in range(rounds):
                for name, (ask, worker) in sides.items():
                    ways[name].append(await measure_way(ask, worker, requests))
    return [
        *_of_way("no-op, asked", ways["ask"], ways[POOL], judged=True),
        *_of_way("no-op, through a router", ways["router"], ways[POOL]),
    ]


def _of_way(name: str, ours: list[Way], pool: list[Way], *, judged: bool = False) -> list[Figure]:
    pairs = list(zip(ours, pool, strict=True))
    return [
        against(
            *(f"{name}, {AT_ONCE} at once", "requests a second"),
            [(1e6 / a.together, 1e6 / b.together) for a, b in pairs],
            peer=POOL,
            judges_ours=True,
            at_least=LEAST_PER_SECOND if judged else None,
        ),
        against(
            *(f"{name}, there and back", "µs by the clock"),
            [(a.alone, b.alone) for a, b in pairs],
            peer=POOL,
            less_is_better=True,
            judges_ours=True,
            at_most=MOST_MICROSECONDS if judged else None,
        ),
        against(
            *(f"{name}, {AT_ONCE} at once", "µs of the service's processor time"),
            [(a.service, b.service) for a, b in pairs],
            peer=POOL,
            less_is_better=True,
        ),
        against(
            *(f"{name}, {AT_ONCE} at once", "µs of the worker's processor time"),
            [(a.worker, b.worker) for a, b in pairs],
            peer=POOL,
            less_is_better=True,
        ),
    ]
