"""``python -m bench supervise [--quick] [--rounds N]``."""

from __future__ import annotations

import argparse

from bench import charts, peers
from bench.report import OUTPUT, Measuring
from bench.supervise.host import PEERS, settings_of
from bench.supervise.rounds import QUICK, Size, language, steady
from bench.supervise.told import blows, ends, figures_of

_ABOUT = (
    "One model in one worker process, under a supervisor of each kind, asked as its users would."
    " The model takes a second to load and 10 ms a step; SmolLM2-135M has torch to import as well."
    " Timed scenes are played in turns, each on its own (ours at least ten seconds after the last"
    " one, so that its backoff is that of a first failure); those that tell yes or no, by all at"
    " once. In mid-request: 0.3 s of the request were left to do, all of its 0.5 s are done again."
)
_NEEDS = {"Ray": "ray", "supervisord": "supervisor"}
# What --quick leaves out, and what there is no need of where a start is all that is measured.
_WHOLE_ONLY = "failsoft, NO_WAIT"
_STEADY_ONLY = "failsoft, with a spare"


def main(arguments: list[str]) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m bench supervise", description=_ABOUT)
    parser.add_argument("--quick", action="store_true", help="under a minute, with less in it")
    parser.add_argument("--rounds", type=int, help="of the timed scenes")
    options = parser.parse_args(arguments)
    size = QUICK if options.quick else Size()
    if options.rounds is not None:
        size = Size(rounds=options.rounds, is_whole=not options.quick)
    measuring = Measuring("supervise", _ABOUT, arguments)
    measuring.names("failsoft", "ray", "supervisor", "torch", "transformers")
    names = _there(measuring, is_whole=size.is_whole)
    found, orphans = steady(names, size, measuring.skipped)
    measuring.figures += figures_of(found)
    if size.is_whole:
        loaded = language([name for name in names if name != _STEADY_ONLY], size, measuring.skipped)
        found["broken"] = loaded.pop("broken")
        measuring.figures += figures_of(loaded, ", SmolLM2")
    measuring.tables += [blows(found), ends(orphans, found)]
    measuring.charts += charts.ratios(measuring.figures, OUTPUT / "supervise")
    measuring.write()


def _there(measuring: Measuring, *, is_whole: bool) -> list[str]:
    """Give the peers that can be measured here, and take down how they are set up."""
    names = []
    for name in PEERS:
        module = _NEEDS.get(name)
        if module is not None and not peers.is_there(module):
            measuring.skipped[name] = f"{module} isn't installed here"
        elif is_whole or name != _WHOLE_ONLY:
            measuring.settings[name] = settings_of(name)
            names.append(name)
    return names
