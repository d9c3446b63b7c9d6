"""The command: start all, have them take turns, and write down what came of it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench import generate
from bench.generate.drawn import draw
from bench.generate.figures import figures_of, table_of
from bench.generate.rounds import Rounds, measure
from bench.generate.sides import (
    BY_HAND,
    ENTRIES,
    OURS,
    THREADS,
    Entry,
    Served,
    Side,
    by_hand,
)
from bench.generate.size import QUICK, Size
from bench.report import OUTPUT, Measuring
from failsoft.service.smollm2 import ensure_smollm2

_ABOUT = "real texts over HTTP, streamed: how fast, how soon, how evenly"


def main(arguments: Sequence[str]) -> None:
    """Run, print, and write the figures."""
    names = [entry.name for entry in ENTRIES if entry.name != OURS]
    parser = argparse.ArgumentParser(prog="python -m bench generate", description=generate.__doc__)
    parser.add_argument("--quick", action="store_true", help="in about a minute, a rough look")
    parser.add_argument("--only", nargs="*", choices=names, help="of the peers, whichever size")
    options = parser.parse_args(arguments)
    measuring = Measuring("generate", _ABOUT, arguments)
    entries = _entries(options.only, options.quick, measuring)
    measuring.names(*("torch", "transformers"), *(entry.package for entry in entries))
    model = ensure_smollm2()
    measuring.settings |= {
        "all": f"{model.name} in float32, on {THREADS} thread of torch, greedy, no chat template, "
        "the same prompts in the same order; while one is measured, the others are stopped",
        BY_HAND: "the limit: no HTTP, one process; all that have come in one padded batch",
        **{entry.name: entry.settings for entry in entries},
    }
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rounds = runner.run(_run(entries, model, QUICK if options.quick else Size(), measuring))
    measuring.figures += figures_of(rounds)
    measuring.tables.append(table_of(rounds))
    measuring.charts += [path.name for path in draw(rounds, OUTPUT)]
    measuring.write()


def _entries(only: Sequence[str] | None, is_quick: bool, measuring: Measuring) -> list[Entry]:
    """Give those that are measured; note why the others aren't."""
    entries = []
    for entry in ENTRIES:
        is_named = only is not None and entry.name in only
        why_not = entry.why_not(is_quick=is_quick and not is_named)
        if only is not None and not is_named and entry.name != OURS:
            why_not = "it wasn't asked for"
        if why_not is None:
            entries.append(entry)
        else:
            measuring.skipped[entry.name] = why_not
    return entries


async def _run(entries: Sequence[Entry], model: Path, size: Size, measuring: Measuring) -> Rounds:
    with contextlib.ExitStack() as servers:
        sides: list[Side] = []
        async with by_hand(model) as hand:
            for entry in entries:
                print(f"starting {entry.name}", flush=True)
                try:
                    server = servers.enter_context(entry.run(model))
                except (RuntimeError, OSError) as error:
                    if entry.name == OURS:
                        raise
                    print(f"{entry.name} is left out: {error}")
                    measuring.skipped[entry.name] = "it didn't start"
                else:
                    sides.append(Served(entry.name, server))
            return await measure([*sides, hand], size)
