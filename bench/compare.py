"""What became better or worse from one run to another: ``python -m bench compare OLD NEW``.

OLD and NEW are folders with reports, or files. Only ratios are held against each other: each is to
a peer in the same run, and so what the machine did is in both of its sides.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.figures import Spread, number
from bench.report import Report, reports_in


class Change(msgspec.Struct, frozen=True):
    """Tell how many times as good as the peer's ours was, and is."""

    name: str
    old: Spread
    new: Spread

    @property
    def is_worse(self) -> bool:
        """Tell whether it is worse in every round than it was in any."""
        return self.new.most < self.old.least

    @property
    def is_better(self) -> bool:
        return self.new.least > self.old.most

    def __str__(self) -> str:
        word = "WORSE" if self.is_worse else "better"
        return f"{word}: {self.name}: {number(self.old)} before, {number(self.new)} now"


def changes(old: Sequence[Report], new: Sequence[Report]) -> list[Change]:
    """Give all ratios that both runs have."""
    before = _gains(old)
    return [
        Change(name, before[name], gain) for name, gain in _gains(new).items() if name in before
    ]


def _gains(reports: Sequence[Report]) -> dict[str, Spread]:
    return {
        f"{report.name}: {figure.name}, {figure.unit}; {figure.peer}": figure.gain
        for report in reports
        for figure in report.figures
        if figure.gain is not None
    }


def main(arguments: list[str]) -> int:
    """Print what changed; give the exit status: 1 where something is worse, 2 for no ratios."""
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("old", type=Path, help="a folder with reports, or a file")
    parser.add_argument("new", type=Path, help="the same of another run")
    options = parser.parse_args(arguments)
    for place in (options.old, options.new):
        if not place.exists():
            parser.error(f"there is no {place}")
    both = changes(reports_in(options.old), reports_in(options.new))
    if not both:
        print("no ratio is in both: run the same benchmarks twice")
        return 2
    worse = [change for change in both if change.is_worse]
    better = [change for change in both if change.is_better]
    for change in (*worse, *better):
        print(change)
    print(f"{len(both)} ratios: {len(worse)} worse, {len(better)} better, past both runs' spread")
    return 1 if worse else 0
