"""The command: disturb a system, print and write what came of it; exit 1 where that isn't well."""

from __future__ import annotations

import argparse
import asyncio
import logging
from pathlib import Path

import structlog

from bench.seeded import drawn, judged, tell, write
from bench.storm.run import run

OUTPUT = Path("build/chaos.json")
KILLS = 500
MINUTES = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run; give the exit status: 0 where every request had its one answer, and nothing grew."""
    parser = argparse.ArgumentParser(prog="python -m bench storm", description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS, help="how many processes are hit")
    parser.add_argument("--seed", type=int, help="of all chance; drawn and printed without one")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="at most so long")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the file for the figures")
    options = parser.parse_args(arguments)
    seed = drawn(options.seed)
    print(f"{options.kills} kills, seed {seed}", flush=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    report = asyncio.run(run(seed, options.kills, 60 * options.minutes, tell=tell))
    write(report, options.output)
    return judged(report.faults())
