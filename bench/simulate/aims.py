"""What must come out at the defaults, and how fast the simulator is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.figures import Figure, Spread
from bench.simulate.figures import Figures

MOST_AMPLIFICATION = 1.2
LEAST_GOODPUT_OF_LEFT = 0.9
LONGEST_RECOVERY = 60.0
MOST_RESTARTS_BY_POISON = 2
LEAST_GOODPUT_OVERLOADED = 0.8


def aims_of(runs: Sequence[Figures]) -> list[Figure]:
    """Give the figures that have an aim, of the runs at the defaults."""
    return [figure for run in runs if run.variant == "defaults" for figure in _of(run)]


def _of(run: Figures) -> list[Figure]:
    goodput = run.goodput or 0.0
    match run.scenario:
        case "third":
            never = math.inf if run.recovery is None else run.recovery
            return [
                figure_of(
                    *("a third dying, sends", "a request", run.amplification),
                    at_most=MOST_AMPLIFICATION,
                ),
                figure_of(
                    *("a third dying, goodput", "of what is left", goodput),
                    at_least=LEAST_GOODPUT_OF_LEFT,
                ),
                figure_of("a third dying, recovered in", "s", never, at_most=LONGEST_RECOVERY),
            ]
        case "poison":
            return [
                figure_of(
                    *("a poison prompt", "restarts of one route at most", run.worst_restarts),
                    at_most=MOST_RESTARTS_BY_POISON,
                )
            ]
        case "overload":
            return [
                figure_of(
                    *("ten times the load, goodput", "of the capacity", goodput),
                    at_least=LEAST_GOODPUT_OVERLOADED,
                )
            ]
        case _:
            return []


def speed_of(runs: Sequence[Figures], seconds: float) -> list[Figure]:
    """Give how many requests and events of theirs were simulated in each second of real time."""
    return [
        figure_of("simulated", "requests a second", sum(run.requests for run in runs) / seconds),
        figure_of("simulated", "events a second", sum(run.events for run in runs) / seconds),
    ]


def figure_of(
    name: str,
    unit: str,
    value: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Figure:
    """Give the figure of one round: by its seed, another one would come out as this one."""
    return Figure(name=name, unit=unit, ours=Spread.of([value]), at_least=at_least, at_most=at_most)
