"""Charts of what was measured: each ratio beside its aim, and tokens as they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import charts
from bench.figures import Figure

Made = Sequence[tuple[float, int]]


def draw(figures: Sequence[Figure], arriving: Mapping[str, Made], folder: Path) -> list[Path]:
    """Draw all that there is; give the files. Without matplotlib, say so and draw none."""
    if not charts.can_draw():
        return []
    paired = [figure for figure in figures if figure.ratio is not None]
    paths = _ratios(paired, folder / "engines_ratios") if paired else []
    return [*paths, *(_arriving(arriving, folder / "engines_arriving") if arriving else [])]


def _ratios(figures: Sequence[Figure], stem: Path) -> list[Path]:
    """Draw how many times as good as the peer ours is: to the right of the line is better."""
    chart, axes = charts.panels(1, 1, (11, 0.6 + 0.4 * len(figures)))
    place = axes[0, 0]
    for row, figure in enumerate(reversed(figures)):
        _row(place, row, figure)
    place.set_yticks(
        range(len(figures)), [f"{each.name}, {each.unit}" for each in reversed(figures)]
    )
    place.axvline(1.0, color=charts.PLAIN, lw=1)
    place.set_xscale("log", base=2)
    place.xaxis.set_major_formatter("{x:g}")
    charts.label(place, "ours against the peer", "times as good; | is the aim", "")
    return charts.save(chart, stem)


def _row(place: Any, row: int, figure: Figure) -> None:
    assert figure.ratio is not None
    gain = as_gain(figure.ratio.median, figure)
    ends = sorted(as_gain(end, figure) for end in (figure.ratio.least, figure.ratio.most))
    colour = charts.COLOURS[6 if figure.peer_wins else 0]
    place.plot(ends, [row, row], color=colour, lw=4, alpha=0.4, solid_capstyle="round")
    place.plot([gain], [row], "o", color=colour)
    aim = figure.at_least if figure.at_least is not None else figure.at_most
    if aim is not None and not figure.judges_ours:
        place.plot([as_gain(aim, figure)], [row], "|", color="black", ms=16, mew=2)


def as_gain(ratio: float, figure: Figure) -> float:
    """Give a ratio so that more is better."""
    return 1 / ratio if figure.less_is_better else ratio


def _arriving(sides: Mapping[str, Made], stem: Path) -> list[Path]:
    chart, axes = charts.panels(1, 1, (8, 4))
    place = axes[0, 0]
    for number, (name, made) in enumerate(sides.items()):
        seconds, tokens = zip(*made, strict=True)
        place.step(seconds, tokens, where="post", color=charts.COLOURS[number], label=name)
    charts.label(place, "16 texts over 4 s, one round", "seconds", "tokens made")
    place.legend(fontsize=8)
    return charts.save(chart, stem)
