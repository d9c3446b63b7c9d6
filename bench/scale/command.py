"""The command: measure each tree, model what is larger, and write down what grows with what."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from bench import scale
from bench.report import Measuring
from bench.scale import chunks, pick
from bench.scale.alone import in_a_process
from bench.scale.measured import Measured, table_of
from bench.scale.modelled import modelled
from bench.scale.tree import Kind


class Size(msgspec.Struct, frozen=True):
    """Say how much is measured. seconds: that each tree is left at rest."""

    threads: tuple[int, ...]
    processes: tuple[int, ...]
    actors: tuple[int, ...]
    picks: tuple[int, ...]
    rounds: int
    operations: int
    seconds: float


FULL: Final = Size((10, 100, 1000), (10, 50), (1000, 10_000), (2, 100, 1000), 5, 50_000, 10)
QUICK: Final = Size((10, 100), (10,), (1000,), (2, 1000), 3, 10_000, 1)


def trees(kind: Kind, sizes: Sequence[int], seconds: float) -> list[Measured]:
    """Measure a tree of each size."""
    return [in_a_process(kind, size, seconds) for size in sizes]


def main(arguments: list[str]) -> None:
    """Run, print, and write the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench scale", description=scale.__doc__)
    parser.add_argument("--quick", action="store_true", help="small trees, for a rough look")
    parser.add_argument("--workers", type=int, nargs="+", help="in threads, these numbers")
    parser.add_argument("--processes", type=int, nargs="+", help="in processes, these numbers")
    parser.add_argument("--actors", type=int, nargs="+", help="without workers, these numbers")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else FULL
    found = Measuring("scale", "what grows with what", arguments)
    found.names("prometheus-client", "msgspec")
    found.settings["workers"] = "scripted, a heartbeat each 0.5 s with a device's memory"
    found.settings["tree"] = "pools of 100 at most, a router each; metrics, errors, health"
    found.figures += asyncio.run(pick.figures(size.picks, size.rounds, size.operations))
    found.figures += asyncio.run(chunks.figures(size.rounds))
    threads = trees("thread", options.workers or size.threads, size.seconds)
    processes = trees("process", options.processes or size.processes, size.seconds)
    plain = trees("plain", options.actors or size.actors, size.seconds)
    found.tables += [
        table_of("workers in threads of the service", threads, "Threads share one interpreter."),
        table_of("workers in processes", processes, "Of the service alone."),
        table_of("actors without workers", plain, "Nothing beats."),
        modelled(threads, processes, plain),
    ]
    found.write()
