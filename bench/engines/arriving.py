"""A chart of the tokens that had been made by each moment, of ours and of the peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import charts

Made = Sequence[tuple[float, int]]


def draw(sides: Mapping[str, Made], stem: Path) -> list[str]:
    """Draw one round; give the files' names. Without matplotlib, say so and draw none."""
    if not charts.can_draw():
        return []
    chart, axes = charts.panels(1, 1, (8, 4))
    place = axes[0, 0]
    for number, (name, made) in enumerate(sides.items()):
        seconds, tokens = zip(*made, strict=True)
        place.step(seconds, tokens, where="post", color=charts.COLOURS[number], label=name)
    charts.label(place, "16 texts over 4 s, one round", "seconds", "tokens made")
    place.legend(fontsize=8)
    return [path.name for path in charts.save(chart, stem)]
