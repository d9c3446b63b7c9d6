"""The command: disturb a system, print and write what came of it; exit 1 where that isn't well."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import structlog

from bench.seeded import drawn, judged, tell, write
from bench.storm.ground import OnCluster
from bench.storm.report import Report
from bench.storm.run import run
from failsoft.service.demo_nodes import DemoNodes

OUTPUT = Path("build/chaos.json")
KILLS = 500
KILLS_ON_CLUSTER = 60
MINUTES = 5.0


def main(arguments: list[str] | None = None) -> int:
    """Run; give the exit status: 0 where every request had its one answer, and nothing grew."""
    parser = argparse.ArgumentParser(prog="python -m bench storm", description=__doc__)
    parser.add_argument("--kills", type=int, help="how many processes are hit")
    parser.add_argument("--cluster", action="store_true", help="on a Ray cluster of three nodes")
    parser.add_argument("--seed", type=int, help="of all chance; drawn and printed without one")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="at most so long")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the file for the figures")
    options = parser.parse_args(arguments)
    seed = drawn(options.seed)
    kills = options.kills or (KILLS_ON_CLUSTER if options.cluster else KILLS)
    print(f"{kills} kills, seed {seed}", flush=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    go = _on_cluster if options.cluster else run
    report = asyncio.run(go(seed, kills, 60 * options.minutes, tell))
    write(report, options.output)
    return judged(report.faults())


async def _on_cluster(
    seed: int, kills: int, seconds: float, tell: Callable[[str], object]
) -> Report:
    async with DemoNodes() as nodes:
        return await run(seed, kills, seconds, tell, OnCluster(nodes))
