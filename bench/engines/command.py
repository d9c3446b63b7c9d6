"""The command: measure part by part, and write down what came of it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import msgspec
import structlog

from bench import engines
from bench.engines import charts
from bench.engines.generation import Made, generation
from bench.engines.killed import cold, warm
from bench.engines.noop import noop
from bench.engines.size import QUICK, Size
from bench.figures import Figure, lines_of
from failsoft.service.smollm2 import ensure_smollm2

OUTPUT = Path("build/bench")
PARTS = ("noop", "generation", "killed")


class Report(msgspec.Struct, frozen=True):
    """Hold all that was measured, and where.

    made: tokens by the time, of the first round of texts that came over time, of ours and of the
    peer.
    """

    machine: str
    cpus: int | None
    versions: dict[str, str]
    model: str
    threads: int
    size: Size
    seconds: float
    figures: tuple[Figure, ...]
    made: dict[str, Made]

    def head(self) -> str:
        """Give where and with what it was measured, in a line."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.model} in float32, threads: {self.threads}; {versions}; "
            f"{self.machine}, {self.cpus} cores"
        )


async def measure(parts: Sequence[str], folder: Path, threads: int, size: Size) -> Report:
    """Measure the parts, one after the other, so that none disturbs another."""
    began = perf_counter()
    figures: list[Figure] = []
    made: dict[str, Made] = {}
    if "noop" in parts:
        figures += await noop(requests=size.noop_requests, rounds=size.noop_rounds)
    if "generation" in parts:
        of_generation, made = await generation(folder, threads, size)
        figures += of_generation
    if "killed" in parts:
        figures += await cold(folder, threads, size.kills)
        figures += await warm(folder, threads, size.kills, size.warm_tokens)
    return Report(
        machine=platform.machine(),
        cpus=os.cpu_count(),
        versions={
            "Python": platform.python_version(),
            **{name: version(name) for name in ("torch", "transformers")},
        },
        model=folder.name,
        threads=threads,
        size=size,
        seconds=perf_counter() - began,
        figures=tuple(figures),
        made=made,
    )


def main(arguments: list[str] | None = None) -> None:
    """Run, print, and write the figures and their charts."""
    parser = argparse.ArgumentParser(prog="python -m bench engines", description=engines.__doc__)
    parser.add_argument("--quick", action="store_true", help="in under two minutes, a rough look")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--threads", type=int, default=1, help="of torch, on both sides")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the folder for what is made")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    size = QUICK if options.quick else Size()
    report = asyncio.run(measure(options.only, ensure_smollm2(), options.threads, size))
    options.output.mkdir(parents=True, exist_ok=True)
    written = options.output / "engines.json"
    written.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    for line in (report.head(), *lines_of(report.figures)):
        print(line)
    print(f"in {report.seconds:.0f} s, written to {written}")
    for path in charts.draw(report.figures, report.made, options.output):
        print(f"drawn to {path}")
