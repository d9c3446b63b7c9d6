"""The way to a worker that does nothing, and back: by TCP, a socket pair, and a call of Ray's."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.cluster.ray_peer import ray_actor
from bench.engines.noop import Ask, Way, measure_way
from bench.engines.noop_engine import AT_ONCE, REQUEST
from bench.engines.supervised import supervised
from bench.figures import Figure, against
from failsoft.gpu import CommandPlacement, WorkerSpec

LEAST_OF_PAIR = 0.8
LEAST_OF_RAY = 5.0

_ENGINE = "bench.engines.noop_engine:Noop"
_HERE = WorkerSpec(engine=_ENGINE)
# What runs elsewhere finds its modules by itself, as it would on another machine.
_THERE = CommandPlacement(command=("env", f"PYTHONPATH={Path.cwd()}"), python=sys.executable)
_BY_TCP = WorkerSpec(engine=_ENGINE, placement=_THERE)
_RAY = "a Ray actor"
_PAIR = "a socket pair"


async def ways(*, requests: int, rounds: int) -> list[Figure]:
    """Measure all three, in turns."""
    found: dict[str, list[Way]] = {"tcp": [], _PAIR: [], _RAY: []}
    with ray_actor() as (actor, process):
        async with supervised(_BY_TCP) as tcp, supervised(_HERE) as pair:
            sides: dict[str, tuple[Ask, int, int]] = {
                "tcp": (lambda: tcp.ref.ask(REQUEST), tcp.pid, requests),
                _PAIR: (lambda: pair.ref.ask(REQUEST), pair.pid, requests),
                # It is slower by far; what it takes a call is told by fewer of them.
                _RAY: (lambda: actor.answer.remote(REQUEST), process, requests // 5),
            }
            for _ in range(rounds):
                for name, (ask, worker, count) in sides.items():
                    found[name].append(await measure_way(ask, worker, count))
    return [
        *_against(found["tcp"], found[_PAIR], _PAIR, LEAST_OF_PAIR, is_rival=False),
        *_against(found["tcp"], found[_RAY], _RAY, LEAST_OF_RAY, is_rival=True),
    ]


def _against(
    ours: list[Way], theirs: list[Way], peer: str, at_least: float, *, is_rival: bool
) -> list[Figure]:
    pairs = list(zip(ours, theirs, strict=True))
    return [
        against(
            *(f"no-op over TCP, {AT_ONCE} at once", "requests a second"),
            [(1e6 / a.together, 1e6 / b.together) for a, b in pairs],
            peer=peer,
            at_least=at_least,
            is_rival=is_rival,
        ),
        against(
            *("no-op over TCP, there and back", "µs by the clock"),
            [(a.alone, b.alone) for a, b in pairs],
            peer=peer,
            less_is_better=True,
            at_most=1 / at_least,
            is_rival=is_rival,
        ),
    ]
