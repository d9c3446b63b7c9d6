"""The charts: how many requests each server does, and how long they take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import charts
from bench.figures import Spread
from bench.http.entries import OBSERVED, OURS, PEERS
from bench.http.rounds import Sample, Samples

_OURS, _LIMIT, _RIVAL = charts.COLOURS[0], charts.PLAIN, charts.COLOURS[1]


def draw(samples: Samples, folder: Path) -> list[Path]:
    """Draw both; give the files. Draws nothing where there is no matplotlib."""
    if not charts.can_draw():
        return []
    return [
        *_draw(samples, folder / "http_rate", "requests a second", _rates),
        *_draw(samples, folder / "http_latency", "ms, from p50 to p99", _latencies),
    ]


def _draw(samples: Samples, stem: Path, across: str, bars: Any) -> list[Path]:
    names = list(next(iter(samples.values())))
    figure, axes = charts.panels(1, len(samples), (5 * len(samples), 1.2 + 0.4 * len(names)))
    for place, (connections, by_name) in zip(axes[0], samples.items(), strict=True):
        for row, name in enumerate(reversed(names)):
            bars(place, row, by_name[name], _colour(name))
        place.set_yticks(range(len(names)), list(reversed(names)) if place is axes[0, 0] else [])
        place.set_ylim(-0.6, len(names) - 0.4)
        charts.label(place, f"{connections} at once", across, "")
    return charts.save(figure, stem)


def _rates(place: Any, row: int, samples: Sequence[Sample], colour: str) -> None:
    rate = Spread.of([sample.per_second for sample in samples])
    error = [[rate.median - rate.least], [rate.most - rate.median]]
    place.barh(row, rate.median, height=0.6, color=colour, xerr=error, ecolor="black")


def _latencies(place: Any, row: int, samples: Sequence[Sample], colour: str) -> None:
    fast = Spread.of([sample.p50 for sample in samples]).median
    slow = Spread.of([sample.p99 for sample in samples]).median
    place.set_xscale("log")
    place.xaxis.set_major_formatter("{x:g}")
    place.plot([fast, slow], [row, row], color=colour, lw=6, alpha=0.4)
    place.plot([fast], [row], "o", color=colour)
    place.plot([slow], [row], "|", color=colour, ms=12, mew=3)


def _colour(name: str) -> str:
    if name in (OURS.name, *(entry.name for entry in OBSERVED)):
        return _OURS
    is_rival = next(entry.is_rival for entry in PEERS if entry.name == name)
    return _RIVAL if is_rival else _LIMIT
