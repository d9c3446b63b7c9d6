"""The tables of several services, and what must come out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bench.figures import Figure
from bench.report import Table
from bench.simulate.aims import figure_of
from bench.simulate.services.figures import SharedFigures
from bench.simulate.services.scenarios import SCENARIOS
from bench.simulate.services.setups import SETUPS

_COLUMNS = (
    *("services see", "services", "before", "goodput", "after", "p50", "p99", "refused", "late"),
    *("sends", "fairness", "worst off", "others", "limit", "queued"),
)
_NOTE = (
    "before, after: answered of those who came in the minute before the trouble, and after it; "
    "goodput: answers in time during the trouble, as a share of what was asked for, or of the "
    "capacity where that is less; fairness: Jain's index of what each service got of its fair "
    "share; others: answered of those who came to another service than the first; limit: of all "
    "services together at the end of the trouble, and queued: what waited in front of the "
    "workers, both for each slot."
)
LEAST_GOODPUT = 0.85
LEAST_FAIRNESS = 0.95
MOST_QUEUED = 1.5


def tables_of(runs: Sequence[SharedFigures]) -> list[Table]:
    """Give a table for each scenario."""
    return [
        Table(
            title=f"Several services: {SCENARIOS[scenario].title}",
            columns=_COLUMNS,
            rows=tuple(_row(run) for run in each),
            note="" if number else _NOTE,
        )
        for number, (scenario, each) in enumerate(groupby(runs, key=lambda run: run.scenario))
    ]


def aims_of(runs: Sequence[SharedFigures]) -> list[Figure]:
    """Give the figures that have an aim: of many services, set up as the page advises."""
    most = max((run.services for run in runs), default=0)
    aims = []
    for run in runs:
        many = f"{run.services} services over one pool"
        if run.services != most:
            continue
        if run.scenario == "surge" and run.setup in ("least bounded", "bounded"):
            name = f"{many}, {run.setup}"
            goodput = figure_of(name, "of the capacity", run.goodput, at_least=LEAST_GOODPUT)
            aims += [goodput, figure_of(name, "fair", run.fairness, at_least=LEAST_FAIRNESS)]
        if run.scenario == "lasting" and run.setup == "bounded":
            queued = run.most_queued / run.slots
            aims.append(figure_of(f"{many}, lasting", "wait a slot", queued, at_most=MOST_QUEUED))
    return aims


def _row(run: SharedFigures) -> tuple[str, ...]:
    return (
        SETUPS[run.setup].title,
        str(run.services),
        *(f"{100 * share:.0f} %" for share in (run.before, run.goodput, run.after)),
        *(f"{seconds:.1f} s" for seconds in (run.p50, run.p99)),
        *(f"{100 * share:.0f} %" for share in (run.refused, run.late)),
        f"{run.sends:.2f}",
        f"{run.fairness:.2f}",
        f"{100 * run.worst:.0f} %",
        "-" if run.others is None else f"{100 * run.others:.0f} %",
        *(f"{count / run.slots:.1f}" for count in (run.limit, run.queued)),
    )
