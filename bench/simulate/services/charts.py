"""A chart of what several services do to one pool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from bench import charts
from bench.simulate.services.scenarios import COUNTS, SCENARIOS, TROUBLE

if TYPE_CHECKING:
    from bench.simulate.services.figures import SharedFigures

_SMOOTH = 10


class _Panel(msgspec.Struct, frozen=True):
    """Say what is drawn: runs of two setups, ``solid`` and ``dashed``, by number of services."""

    title: str
    scenario: str
    solid: str
    dashed: str
    values: Callable[[SharedFigures], list[float]]
    label: str


def draw(runs: Sequence[SharedFigures], folder: Path) -> list[str]:
    """Draw some of the runs in time; give the files' names.

    Without matplotlib, say so and draw none.
    """
    if not runs or not charts.can_draw():
        return []
    figure, axes = charts.panels(2, 2, (11, 6.4))
    for place, panel in zip(axes.flat, _PANELS, strict=True):
        _draw_panel(place, panel, [run for run in runs if run.scenario == panel.scenario])
    return [path.name for path in charts.save(figure, folder / "simulate_services")]


def _draw_panel(place: Any, panel: _Panel, runs: Sequence[SharedFigures]) -> None:
    place.axvspan(TROUBLE, SCENARIOS[panel.scenario].over_at, color="#dddddd", lw=0)
    for style, setup in (("--", panel.dashed), ("-", panel.solid)):
        for run in runs:
            if run.setup != setup:
                continue
            values = _smooth(panel.values(run))
            colour = charts.COLOURS[COUNTS.index(run.services)]
            width = 1.8 if style == "-" else 1.1
            said = _called(run.services) if style == "-" else None
            place.plot(range(len(values)), values, style, color=colour, lw=width, label=said)
    place.set_ylim(bottom=0)
    charts.label(place, panel.title, "seconds", panel.label)
    if runs:
        place.legend(fontsize=7, loc="best")


def _called(services: int) -> str:
    return "1 service" if services == 1 else f"{services} services"


def _smooth(values: Sequence[float]) -> list[float]:
    parts = [values[max(0, at - _SMOOTH + 1) : at + 1] for at in range(len(values))]
    return [sum(part) / len(part) for part in parts]


def _answered(run: SharedFigures) -> list[float]:
    return [1.0 if share is None else share for share in run.by_second]


def _queued(run: SharedFigures) -> list[float]:
    return [waiting / run.slots for waiting in run.queued_by_second]


def _limits(run: SharedFigures) -> list[float]:
    return [limit / run.slots for limit in run.limits]


_ANSWERED, _QUEUED = "answered, of those who came", "waiting in front of the workers, a slot"
_PANELS: Final = (
    _Panel(
        "A server each, three times the load: the least loaded, limits of two shares;\n"
        "dashed: all in the same order, at the defaults",
        *("surge", "least bounded", "listed", _answered, _ANSWERED),
    ),
    _Panel(
        "The same, what waits in front of the workers;\n"
        "dashed: the least loaded, limits at the defaults",
        *("surge", "least bounded", "least loaded", _queued, _QUEUED),
    ),
    _Panel(
        "One server that queues all, twice the load: limits of two shares at most;\n"
        "dashed: limits without a bound",
        *("lasting", "endless bounded", "endless", _limits, "limits of all services, a slot"),
    ),
    _Panel(
        "The same, what waits in front of the workers",
        *("lasting", "endless bounded", "endless", _queued, _QUEUED),
    ),
)
