"""The command: measure part by part, and write down what came of it."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import structlog

from bench import charts, engines
from bench.engines.arriving import draw
from bench.engines.generation import generation
from bench.engines.killed import cold, warm
from bench.engines.noop import noop
from bench.engines.size import QUICK, Size
from bench.report import OUTPUT, Measuring
from failsoft.service.smollm2 import ensure_smollm2

PARTS = ("noop", "generation", "killed")


async def measure(
    found: Measuring, parts: Sequence[str], folder: Path, threads: int, size: Size
) -> None:
    """Measure the parts, one after the other, so that none disturbs another."""
    if "noop" in parts:
        found.figures += await noop(requests=size.noop_requests, rounds=size.noop_rounds)
    if "generation" in parts:
        figures, made = await generation(folder, threads, size)
        found.figures += figures
        found.charts += draw(made, OUTPUT / "engines_arriving")
    if "killed" in parts:
        found.figures += await cold(folder, threads, size.kills)
        found.figures += await warm(folder, threads, size.kills, size.warm_tokens)


def main(arguments: list[str]) -> None:
    """Run, print, and write the figures and their charts."""
    parser = argparse.ArgumentParser(prog="python -m bench engines", description=engines.__doc__)
    parser.add_argument("--quick", action="store_true", help="in under two minutes, a rough look")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--threads", type=int, default=1, help="of torch, on both sides")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    folder = ensure_smollm2()
    found = Measuring("engines", "what supervision costs a model", arguments)
    found.names("torch", "transformers")
    found.settings["all sides"] = f"{folder.name} in float32, torch threads: {options.threads}"
    size = QUICK if options.quick else Size()
    asyncio.run(measure(found, options.only, folder, options.threads, size))
    found.charts += charts.ratios(found.figures, OUTPUT / "engines_ratios")
    found.write()
