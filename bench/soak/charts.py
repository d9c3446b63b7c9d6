"""The chart: what the service held over the run, and when which fault was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.charts import COLOURS, PLAIN, can_draw, label, panels, save
from bench.soak.growth import WORDS
from bench.soak.report import Report

_PANELS = (
    ("memory", "MiB", ("service", "resident", "keepers", "workers")),
    ("descriptors and threads", "", ("descriptors", "threads")),
    ("tasks and actors", "", ("tasks", "actors")),
)


def draw(report: Report, output: Path) -> list[Path]:
    """Draw it beside the figures; give the files."""
    if not report.samples or not can_draw():
        return []
    figure, axes = panels(len(_PANELS), 1, (9, 9))
    for (place,), (title, unit, names) in zip(axes, _PANELS, strict=True):
        for fault in report.faults:
            place.axvline(fault.at / 60, color=PLAIN, alpha=0.2, linewidth=0.6)
        for colour, name in zip(COLOURS, names, strict=False):
            _line(place, report, name, colour)
        place.set_ylim(0, 1.2 * place.get_ylim()[1])
        label(place, f"{title}; grey: a fault", "minutes", unit)
        place.legend(fontsize=7, loc="upper left", ncols=2)
    return save(figure, output.with_suffix(""))


def _line(place: Any, report: Report, name: str, colour: str) -> None:
    """Draw all samples faintly, and those that are judged, when nobody asked, as dots."""
    minutes = [each.at / 60 for each in report.samples]
    place.plot(minutes, [getattr(each, name) for each in report.samples], color=colour, alpha=0.4)
    calm = [(each.at / 60, getattr(each, name)) for each in report.samples if each.is_calm]
    place.plot(*zip(*calm, strict=True), "o", color=colour, markersize=3, label=WORDS[name])
