"""The command: put each server through the same, print what came of it, and write it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bench.chaos.asking import PATIENCE
from bench.chaos.drawn import draw
from bench.chaos.phase import LONG_TOKENS, OVERLOAD, PHASES, QUICK, RATE, TOKENS, Phase
from bench.chaos.tables import figures, tables
from bench.chaos.trial import LIMIT, PER_WORKER, WORKERS, Trial, trial
from bench.report import OUTPUT, Measuring
from bench.servers.known import SERVERS
from bench.servers.model import Steady

_ABOUT = "the same servers under the same faults: how each request ends, and when all is well"
# How many prompts each computes at once, all its workers together. Ours is the first.
AT_ONCE = {
    "failsoft": WORKERS * PER_WORKER,
    "litserve": WORKERS * PER_WORKER,
    "mosec": WORKERS * PER_WORKER,
    "ray_serve": WORKERS * PER_WORKER,
    "fastapi": 1,
}
# Ours, and the quickest to start of those that restart a process.
_QUICK = ("failsoft", "mosec")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; give the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench chaos", description=__doc__)
    parser.add_argument(
        "--servers", nargs="+", choices=AT_ONCE, metavar="NAME", help=f"of {', '.join(AT_ONCE)}"
    )
    parser.add_argument("--quick", action="store_true", help="two servers and three faults")
    parser.add_argument("--seed", type=int, default=1, help="of when the requests come")
    options = parser.parse_args(arguments)
    names = options.servers or (_QUICK if options.quick else tuple(AT_ONCE))
    measuring = Measuring("chaos", _ABOUT, arguments or [])
    measuring.names(*(SERVERS[name].package for name in names))
    trials = _trials(names, QUICK if options.quick else PHASES, options.seed, measuring)
    if trials:
        measuring.tables += tables(trials)
        measuring.figures += figures(trials)
        measuring.charts += [path.name for path in draw(trials, OUTPUT)]
    measuring.write()
    return 0


def _trials(
    names: Sequence[str], phases: Sequence[Phase], seed: int, measuring: Measuring
) -> list[Trial]:
    """Run the servers, each alone; one that can't be run is left out."""
    step = f"{Steady.step_seconds * 1000:g} ms"
    measuring.settings["load"] = (
        f"{RATE:g} requests a second, whatever becomes of those before (Poisson, seed {seed}), "
        f"each of {TOKENS} steps of {step}, on a connection of its own; the caller waits "
        f"{PATIENCE:g} s and never asks again; overload is {OVERLOAD} times what the server's "
        f"workers can compute, of {LONG_TOKENS} steps each; {WORKERS} workers, batches of "
        f"{PER_WORKER}, {Steady.load_seconds:g} s to load; "
        f"where the time of a request can be bounded, it is {LIMIT:g} s"
    )
    trials = []
    for name in names:
        server = SERVERS[name]
        if not server.is_there():
            measuring.skipped[server.title] = "it isn't installed here"
            continue
        print(f"{server.title}: {', '.join(phase.name for phase in phases)}", flush=True)
        measuring.settings[server.title] = server.settings
        try:
            trials.append(trial(name, phases, AT_ONCE[name], seed))
        except RuntimeError as error:
            measuring.skipped[server.title] = f"it can't be run here: {str(error)[-300:]}"
    return trials
