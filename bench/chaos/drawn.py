"""Charts: how the requests ended, and how many were answered from second to second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import charts
from bench.chaos.ledger import Kind, per_second
from bench.chaos.trial import Trial
from bench.servers.known import SERVERS

_BIN = 0.5
_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _YELLOW, _RED = charts.COLOURS
_COLOURS = {
    Kind.ANSWERED: _GREEN,
    Kind.REFUSED: _SKY,
    Kind.FAILED: _YELLOW,
    Kind.LOST: _ORANGE,
    Kind.HUNG: _RED,
    Kind.WRONG: "black",
    Kind.TWICE: _PINK,
}
# Of those phases in which what matters is when.
_IN_TIME = ("kill_busy", "hang", "poison", "overload")


def draw(trials: Sequence[Trial], folder: Path) -> list[Path]:
    """Draw; give the files. Without matplotlib, say so and draw none."""
    if not charts.can_draw():
        return []
    return [*_draw_ends(trials, folder / "chaos_ends"), *_draw_time(trials, folder / "chaos_time")]


def _draw_ends(trials: Sequence[Trial], stem: Path) -> list[Path]:
    phases = trials[0].phases
    rows = -(-len(phases) // 2)
    figure, axes = charts.panels(rows, 2, (13, (0.45 * len(trials) + 1.2) * rows))
    for number, (place, endured) in enumerate(zip(axes.flat, phases, strict=False)):
        _panel_of_ends(place, trials, number)
        charts.label(place, endured.phase.title, "share of what was asked, %", "")
    for place in axes.flat[len(phases) :]:
        place.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    return charts.save(figure, stem)


def _panel_of_ends(place: Any, trials: Sequence[Trial], number: int) -> None:
    # From the top down, as in the tables.
    heights = range(len(trials), 0, -1)
    counts = [trial.phases[number].count for trial in trials]
    left = [0.0] * len(trials)
    for kind, colour in _COLOURS.items():
        widths = [100 * count[kind] / max(count.asked, 1) for count in counts]
        place.barh(heights, widths, left=left, color=colour, label=kind.value, height=0.7)
        left = [begun + width for begun, width in zip(left, widths, strict=True)]
    place.set_yticks(list(heights), [SERVERS[trial.server].title for trial in trials])
    place.set_xlim(0, 100)


def _draw_time(trials: Sequence[Trial], stem: Path) -> list[Path]:
    shown = [number for number, each in enumerate(trials[0].phases) if each.phase.name in _IN_TIME]
    figure, axes = charts.panels(len(shown), 1, (11, 2.6 * len(shown)))
    for place, number in zip(axes.flat, shown, strict=True):
        phase = trials[0].phases[number].phase
        place.axvspan(phase.calm, max(phase.since, phase.calm + 0.05), color="#dddddd", lw=0)
        for colour, trial in zip(charts.COLOURS, trials, strict=False):
            ends = trial.phases[number].ends
            points = per_second(ends, phase.calm + phase.after, _BIN)
            place.plot(*zip(*points, strict=True), color=colour, label=SERVERS[trial.server].title)
        charts.label(place, phase.title, "seconds", "right answers a second")
        place.set_ylim(bottom=0)
        place.legend(fontsize=7, loc="upper right")
    return charts.save(figure, stem)
