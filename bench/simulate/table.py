"""The table: the figures of all runs, and whether they are as they must be."""

from __future__ import annotations

from collections.abc import Sequence

from bench.simulate.figures import Figures
from bench.simulate.scenarios import SCENARIOS

_HEAD = (
    f"{'':<22}{'goodput':>8}{'after':>8}{'p50':>7}{'p99':>7}{'sends':>7}"
    f"{'recovery':>9}{'all up':>8}{'restarts':>9}{'queue':>8}{'requests':>10}"
)

MOST_AMPLIFICATION = 1.2
LEAST_GOODPUT_OF_LEFT = 0.9
LONGEST_RECOVERY = 60.0
MOST_RESTARTS_BY_POISON = 2
LEAST_GOODPUT_OVERLOADED = 0.8


def table_of(runs: Sequence[Figures]) -> list[str]:
    """Give the table, line by line; see ``Figures`` for what the columns mean."""
    lines: list[str] = []
    scenario = ""
    for figures in runs:
        if figures.scenario != scenario:
            scenario = figures.scenario
            lines += ["", SCENARIOS[scenario].title, _HEAD]
        lines.append(
            f"{figures.variant:<22}{_percent(figures.goodput):>8}{_percent(figures.after):>8}"
            f"{figures.p50:>5.1f} s{figures.p99:>5.1f} s{figures.amplification:>7.2f}"
            f"{_seconds(figures.recovery):>9}{_seconds(figures.all_ready):>8}"
            f"{figures.restarts:>9}{figures.queue_peak:>8}{figures.requests:>10}"
        )
    return lines


def verdicts(runs: Sequence[Figures]) -> list[str]:
    """Say of each figure that must come out at the defaults whether it does."""
    lines = []
    for figures in runs:
        if figures.variant != "defaults":
            continue
        for said, is_fine in checks(figures):
            lines.append(f"{'as it must be' if is_fine else 'NOT AS IT MUST BE'}: {said}")
    return lines


def checks(figures: Figures) -> list[tuple[str, bool]]:
    """Give in words what must hold of a scenario at the defaults, and whether it does."""
    goodput, recovery = figures.goodput or 0.0, figures.recovery
    match figures.scenario:
        case "third":
            return [
                (
                    f"a third dying: {figures.amplification:.2f} sends a request",
                    figures.amplification <= MOST_AMPLIFICATION,
                ),
                (
                    f"a third dying: {_percent(goodput)} of what is left",
                    goodput >= LEAST_GOODPUT_OF_LEFT,
                ),
                (
                    f"a third dying: recovered in {_seconds(recovery)}",
                    recovery is not None and recovery <= LONGEST_RECOVERY,
                ),
            ]
        case "poison":
            worst = figures.worst_restarts
            return [
                (f"a poison prompt: {worst} restarts at most", worst <= MOST_RESTARTS_BY_POISON)
            ]
        case "overload":
            said = f"ten times the load: {_percent(goodput)} of the capacity"
            return [(said, goodput >= LEAST_GOODPUT_OVERLOADED)]
        case _:
            return []


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s"
