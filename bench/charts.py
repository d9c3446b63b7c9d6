"""Charts of what the simulator measured, as PNG and SVG. Needs matplotlib: ``failsoft[bench]``."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.simulate.scenarios import SCENARIOS, TROUBLE

if TYPE_CHECKING:
    from bench.simulate.figures import Figures

# Okabe and Ito's colours, which people tell apart who see red and green alike.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#D55E00")
_PLAIN = "#7f7f7f"
_SMOOTH = 5
_COLUMNS = 2


def draw(runs: Sequence[Figures], folder: Path) -> list[Path]:
    """Draw each scenario in time; give the files. Without matplotlib, say so and draw none."""
    if importlib.util.find_spec("matplotlib") is None:
        print("no charts: they need matplotlib (pip install 'failsoft[bench]')")
        return []
    return [
        *_drawn(runs, folder / "simulate_served", _served, "answered, of those who came"),
        *_drawn(runs, folder / "simulate_waiting", _waiting, "requests waiting"),
    ]


def _drawn(runs: Sequence[Figures], stem: Path, values: Any, label: str) -> list[Path]:
    import matplotlib

    matplotlib.use("Agg")
    # Ids in the file would be drawn by chance, and the same figures give another file.
    matplotlib.rcParams["svg.hashsalt"] = "failsoft"
    from matplotlib import pyplot

    groups = [(name, list(each)) for name, each in groupby(runs, key=lambda run: run.scenario)]
    rows = -(-len(groups) // _COLUMNS)
    figure, axes = pyplot.subplots(
        rows, _COLUMNS, figsize=(13, 3.4 * rows), squeeze=False, layout="constrained"
    )
    for place, (name, each) in zip(axes.flat, groups, strict=False):
        _panel(place, name, each, values, label)
    for place in axes.flat[len(groups) :]:
        place.axis("off")
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    figure.savefig(paths[0], dpi=110)
    figure.savefig(paths[1], metadata={"Date": None})
    pyplot.close(figure)
    return paths


def _panel(place: Any, name: str, runs: Sequence[Figures], values: Any, label: str) -> None:
    script = SCENARIOS[name]
    place.axvspan(TROUBLE, script.over_at, color="#dddddd", lw=0)
    for run in reversed(runs):  # the defaults on top
        is_plain = run.variant == "plain"
        style = {"color": _PLAIN, "ls": "--"} if is_plain else {}
        if not is_plain:
            style["color"] = _COLOURS[[r.variant for r in runs].index(run.variant) % len(_COLOURS)]
        seconds, numbers = values(run)
        width = 2.2 if run.variant == "defaults" else 1.2
        place.plot(seconds, numbers, label=run.variant, lw=width, **style)
    place.set_title(script.title, fontsize=10)
    place.set_xlabel("seconds", fontsize=8)
    place.set_ylabel(label, fontsize=8)
    place.tick_params(labelsize=8)
    place.grid(alpha=0.3)
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
