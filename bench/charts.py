"""What all charts of the benchmarks share. Needs matplotlib: ``failsoft[bench]``."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figure

# Okabe and Ito's colours, which people tell apart who see red and green alike.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#D55E00")
PLAIN = "#7f7f7f"


def can_draw() -> bool:
    """Tell whether matplotlib is there; without it, say so."""
    if importlib.util.find_spec("matplotlib") is not None:
        return True
    print("no charts: they need matplotlib (pip install 'failsoft[bench]')")
    return False


def panels(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, Any]:
    """Give a figure and its panels, as an array of two dimensions."""
    import matplotlib

    matplotlib.use("Agg")
    # Ids in the file would be drawn by chance, and the same figures give another file.
    matplotlib.rcParams["svg.hashsalt"] = "failsoft"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    return figure, axes


def label(place: Any, title: str, across: str, up: str) -> None:
    """Say what a panel shows."""
    place.set_title(title, fontsize=10)
    place.set_xlabel(across, fontsize=8)
    place.set_ylabel(up, fontsize=8)
    place.tick_params(labelsize=8)
    place.grid(alpha=0.3)


def ratios(figures: Sequence[Figure], stem: Path) -> list[str]:
    """Draw how many times as good as the peer ours is, a row each; give the files' names.

    To the right of the line is better. Draws nothing where there is no peer, or no matplotlib.
    """
    paired = [figure for figure in reversed(figures) if figure.gain is not None]
    if not paired or not can_draw():
        return []
    chart, axes = panels(1, 1, (11, 1.0 + 0.3 * len(paired)))
    place = axes[0, 0]
    for row, figure in enumerate(paired):
        _row(place, row, figure)
    names = [f"{figure.name}, {figure.unit}; {figure.peer}" for figure in paired]
    place.set_yticks(range(len(paired)), names)
    place.set_ylim(-0.7, len(paired) - 0.3)
    place.axvline(1.0, color=PLAIN, lw=1)
    place.set_xscale("log")
    place.xaxis.set_major_formatter("{x:g}")
    label(place, "ours against the peer", "times as good; | is the aim", "")
    return [path.name for path in save(chart, stem)]


def _row(place: Any, row: int, figure: Figure) -> None:
    gain = figure.gain
    assert gain is not None
    colour = COLOURS[6 if figure.peer_wins else 0 if figure.is_rival else 2]
    place.plot([gain.least, gain.most], [row, row], color=colour, lw=4, alpha=0.4)
    place.plot([gain.median], [row], "o", color=colour)
    if figure.aimed_gain is not None:
        place.plot([figure.aimed_gain], [row], "|", color="black", ms=14, mew=2)


def by_magnitude(axis: Any, *marks: float) -> None:
    """Have an axis go by magnitudes, with plain numbers at these marks and none between."""
    from matplotlib import ticker

    axis.set_major_locator(ticker.FixedLocator(marks))
    axis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    axis.set_minor_formatter(ticker.NullFormatter())


def save(figure: Any, stem: Path) -> list[Path]:
    """Write ``figure`` as PNG and SVG; give the files."""
    from matplotlib import pyplot

    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    stem.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(paths[0], dpi=110)
    figure.savefig(paths[1], metadata={"Date": None})
    pyplot.close(figure)
    return paths
