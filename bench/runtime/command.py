"""The command: measure ours and each peer in turns, and write down what came of it."""

from __future__ import annotations

import argparse
import asyncio
import functools
import importlib
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter

import structlog

from bench import charts, peers, runtime
from bench.figures import Figure, Spread
from bench.paired import compare
from bench.report import OUTPUT, Measuring
from bench.runtime import alone, bare, samples
from bench.runtime.memory import idle_actor

ROUNDS, QUICK_ROUNDS = 9, 2
RESTARTS = 1_000
SUPERVISORS = 1_000
CROWD = 100_000
_CLOCK = "µs by the clock"


def of_asyncio(rounds: int) -> list[Figure]:
    """Hold ours against what no actor on asyncio can do without."""
    return [
        compare(
            *("tell", samples.tell, "asyncio.Queue", bare.queue),
            operations=64_000,
            rounds=rounds,
            at_least=1.0,
        ),
        compare(
            *("ask", samples.ask, "two futures", bare.two_futures),
            operations=20_000,
            rounds=rounds,
            at_least=0.6,
            is_rival=False,
        ),
        compare(
            *("spawn and stop", samples.spawn_and_stop, "a bare task", bare.one_task),
            operations=3_000,
            rounds=rounds,
            is_rival=False,
        ),
    ]


def of_library(name: str, module: str, rounds: int) -> list[Figure]:
    """Hold ours against a library whose actors are in this process."""
    peer = importlib.import_module(module)
    return [
        compare(
            *("ask", samples.ask, name, peer.ask), operations=3_000, rounds=rounds, at_least=10
        ),
        compare(
            *("spawn and stop", samples.spawn_and_stop, name, peer.spawn_and_stop),
            operations=500,
            rounds=rounds,
            at_least=10,
        ),
    ]


def of_ray(rounds: int) -> list[Figure]:
    """Hold ours against Ray; by the clock, for its actors are other processes."""
    from bench.runtime import ray_peer

    ask = functools.partial(samples.ask, clock=perf_counter)
    spawn = functools.partial(samples.spawn_ask_and_stop, clock=perf_counter)
    with ray_peer.cluster():
        return [
            compare(*("ask", ask, "Ray", ray_peer.ask), operations=500, rounds=rounds, unit=_CLOCK),
            compare(
                *("spawn, ask and stop", spawn, "Ray", ray_peer.spawn_ask_and_stop),
                operations=1,  # of Ray's, about a second
                rounds=(rounds + 1) // 2,
                unit=_CLOCK,
            ),
        ]


def of_ours(rounds: int, *, has_crowd: bool) -> list[Figure]:
    """Give what has no peer. has_crowd: all of a crowd takes longest, to start and to end."""

    def spread(sample: Callable[[int], Awaitable[float]], count: int, factor: float) -> Spread:
        return Spread.of([factor * asyncio.run(_run(sample, count)) for _ in range(rounds)])

    memories = [idle_actor() for _ in range(rounds)]
    supervisors = spread(alone.tree_of_supervisors, SUPERVISORS, 1e6 / SUPERVISORS)
    return [
        Figure(
            name="an idle actor, traced",
            unit="KiB",
            ours=Spread.of([memory.traced_bytes / 1024 for memory in memories]),
            at_most=3.0,
        ),
        Figure(
            name="an idle actor, resident",
            unit="KiB",
            ours=Spread.of([memory.resident_bytes / 1024 for memory in memories]),
            at_most=3.0,
        ),
        Figure(name="a supervisor starts", unit="µs", ours=supervisors, at_most=500.0),
        Figure(
            name="a child is restarted, from its failure on",
            unit="µs",
            ours=spread(alone.restarts, RESTARTS, 1e6 / RESTARTS),
            at_most=200.0,
        ),
        *([_crowd(spread(alone.crowd, CROWD, 1.0))] if has_crowd else []),
    ]


def _crowd(seconds: Spread) -> Figure:
    return Figure(name=f"{CROWD:,} actors at once, a message each", unit="s", ours=seconds)


async def _run(sample: Callable[[int], Awaitable[float]], count: int) -> float:
    return await sample(count)


_LIBRARIES = (
    ("Pykka", "pykka", "bench.runtime.pykka_peer"),
    ("xoscar", "xoscar", "bench.runtime.xoscar_peer"),
)


def main(arguments: list[str]) -> None:
    """Run, print, and write the figures and their chart."""
    parser = argparse.ArgumentParser(prog="python -m bench runtime", description=runtime.__doc__)
    parser.add_argument("--quick", action="store_true", help="a few rounds, for a rough look")
    parser.add_argument("--rounds", type=int, help="rounds to take the median of")
    options = parser.parse_args(arguments)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = Measuring("runtime", "how fast actors are", arguments)
    found.names("Pykka", "xoscar", "ray")
    found.figures += of_asyncio(rounds)
    # Before there is a Ray, which is never quite idle.
    found.figures += of_ours(1 if options.quick else 3, has_crowd=not options.quick)
    for name, package, module in _LIBRARIES:
        if not peers.is_there(package):
            found.skipped[name] = "it isn't installed here"
            continue
        found.settings[name] = importlib.import_module(module).SETTINGS
        found.figures += of_library(name, module, rounds)
    if peers.is_there("ray"):
        from bench.runtime.ray_peer import SETTINGS

        found.settings["Ray"] = SETTINGS
        found.figures += of_ray(rounds)
    else:
        found.skipped["Ray"] = "it isn't installed here"
    found.charts += charts.ratios(found.figures, OUTPUT / "runtime_ratios")
    found.write()
