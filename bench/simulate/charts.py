"""Charts of what the simulator measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import charts
from bench.simulate.scenarios import SCENARIOS, TROUBLE

if TYPE_CHECKING:
    from bench.simulate.figures import Figures

_SMOOTH = 5
_COLUMNS = 2


def draw(runs: Sequence[Figures], folder: Path) -> list[str]:
    """Draw each scenario in time; give the files' names.

    Without matplotlib, say so and draw none.
    """
    if not charts.can_draw() or not runs:
        return []
    return [
        *_drawn(runs, folder / "simulate_served", _served, "answered, of those who came"),
        *_drawn(runs, folder / "simulate_waiting", _waiting, "requests waiting"),
    ]


def _drawn(runs: Sequence[Figures], stem: Path, values: Any, label: str) -> list[str]:
    groups = [(name, list(each)) for name, each in groupby(runs, key=lambda run: run.scenario)]
    rows = -(-len(groups) // _COLUMNS)
    figure, axes = charts.panels(rows, _COLUMNS, (13, 3.4 * rows))
    for place, (name, each) in zip(axes.flat, groups, strict=False):
        _panel(place, name, each, values, label)
    for place in axes.flat[len(groups) :]:
        place.axis("off")
    return [path.name for path in charts.save(figure, stem)]


def _panel(place: Any, name: str, runs: Sequence[Figures], values: Any, label: str) -> None:
    script = SCENARIOS[name]
    place.axvspan(TROUBLE, script.over_at, color="#dddddd", lw=0)
    for run in reversed(runs):  # the defaults on top
        is_plain = run.variant == "plain"
        style = {"color": charts.PLAIN, "ls": "--"} if is_plain else {}
        if not is_plain:
            number = [r.variant for r in runs].index(run.variant)
            style["color"] = charts.COLOURS[number % len(charts.COLOURS)]
        seconds, numbers = values(run)
        width = 2.2 if run.variant == "defaults" else 1.2
        place.plot(seconds, numbers, label=run.variant, lw=width, **style)
    charts.label(place, script.title, "seconds", label)
    handles, labels = place.get_legend_handles_labels()
    place.legend(handles[::-1], labels[::-1], fontsize=7, loc="best")


def _served(run: Figures) -> tuple[list[int], list[float]]:
    """Give the share of those who came that were answered, over some seconds each."""
    known = [(second, share) for second, share in enumerate(run.by_second) if share is not None]
    numbers = [share for _, share in known]
    smooth = [
        sum(numbers[max(0, at - _SMOOTH + 1) : at + 1]) / min(at + 1, _SMOOTH)
        for at in range(len(numbers))
    ]
    return [second for second, _ in known], smooth


def _waiting(run: Figures) -> tuple[list[int], list[int]]:
    return list(range(len(run.waiting))), run.waiting
