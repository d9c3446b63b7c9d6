"""The command: soak a service, print and write what came of it; exit 1 where that isn't well."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.seeded import drawn, judged, tell, write
from bench.soak import charts, table
from bench.soak.run import run

OUTPUT = Path("build/soak.json")
MINUTES = 20.0
RATE = 12.0


def main(arguments: list[str] | None = None) -> int:
    """Run; give the exit status: 0 where every request had its one end, and nothing grew."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long")
    parser.add_argument("--seed", type=int, help="of all chance; drawn and printed without one")
    parser.add_argument("--rate", type=float, default=RATE, help="callers a second")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the file for the figures")
    parser.add_argument("--docs", type=Path, help="a page whose table is written anew")
    options = parser.parse_args(arguments)
    seed = drawn(options.seed)
    print(f"{options.minutes:g} minutes, seed {seed}", flush=True)
    seconds, folder = 60 * options.minutes, options.output.with_suffix("")
    report = asyncio.run(run(seed, seconds, options.rate, folder, tell=tell))
    write(report, options.output)
    for path in charts.draw(report, options.output):
        print(f"drawn to {path}")
    if options.docs is not None:
        table.write(report, options.docs)
    return judged(report.wrongs())
