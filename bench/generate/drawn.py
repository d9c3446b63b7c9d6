"""Charts: how fast and how soon tokens come, and how they come where texts arrive over time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import charts
from bench.generate.answers import Sample
from bench.generate.rounds import Rounds, Samples
from bench.generate.sides import BY_HAND


def draw(rounds: Rounds, folder: Path) -> list[Path]:
    """Draw; give the files. Without matplotlib, say so and draw none."""
    if not charts.can_draw():
        return []
    chart, axes = charts.panels(2, 2, (12, 7))
    _bars(axes[0, 0], rounds.alone, "one text")
    _bars(axes[0, 1], rounds.at_once, "16 at once")
    _firsts(axes[1, 0], rounds.arriving)
    _made(axes[1, 1], rounds.arriving)
    return charts.save(chart, folder / "generate")


def _colour(number: int, name: str) -> str:
    return charts.PLAIN if name == BY_HAND else charts.COLOURS[number % len(charts.COLOURS)]


def _bars(place: Any, samples: Samples, title: str) -> None:
    """Draw the median of each, and a line from the least to the most."""
    for number, (name, each) in enumerate(samples.items()):
        rates = [sample.per_second for sample in each]
        place.barh(-number, statistics.median(rates), color=_colour(number, name))
        place.plot([min(rates), max(rates)], [-number, -number], color="black", lw=1)
    place.set_yticks([-number for number in range(len(samples))], list(samples))
    charts.label(place, title, "tokens a second; the line: least to most", "")


def _firsts(place: Any, samples: Samples) -> None:
    """Draw what share of the texts had a token after how long; who has none is never there."""
    for number, (name, each) in enumerate(samples.items()):
        seconds, asked = _pooled(each)
        if seconds:
            shares = [100 * count / asked for count in range(1, len(seconds) + 1)]
            place.step(seconds, shares, where="post", color=_colour(number, name), label=name)
    place.set_xscale("log")
    charts.by_magnitude(place.xaxis, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
    place.set_ylim(0, 102)
    charts.label(place, "by a Poisson clock", "s to the first token", "share of the texts, %")
    place.legend(fontsize=8)


def _pooled(samples: Sequence[Sample]) -> tuple[list[float], int]:
    firsts = sorted(first for sample in samples for first in sample.firsts)
    return firsts, sum(sample.asked for sample in samples)


def _made(place: Any, samples: Samples) -> None:
    for number, (name, each) in enumerate(samples.items()):
        if each[0].made:
            seconds, tokens = zip(*each[0].made, strict=True)
            place.step(seconds, tokens, where="post", color=_colour(number, name), label=name)
    charts.label(place, "by a Poisson clock, the first round", "seconds", "tokens made")
