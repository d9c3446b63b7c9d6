"""What all charts of the benchmarks share. Needs matplotlib: ``failsoft[bench]``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

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


def save(figure: Any, stem: Path) -> list[Path]:
    """Write ``figure`` as PNG and SVG; give the files."""
    from matplotlib import pyplot

    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    figure.savefig(paths[0], dpi=110)
    figure.savefig(paths[1], metadata={"Date": None})
    pyplot.close(figure)
    return paths
