"""The tables: the figures of all runs, one table for each scenario."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from bench.report import Table
from bench.simulate.figures import Figures
from bench.simulate.scenarios import SCENARIOS

_COLUMNS = (
    *("variant", "goodput", "after", "p50", "p99", "sends a request"),
    *("recovery", "all up", "restarts", "most waiting", "requests"),
)
_NOTE = (
    "goodput: answers in time during the trouble, as a share of what the models that were left "
    "could have given; after: the same of the minute that follows; recovery: from the end of the "
    "trouble until nearly as many are answered as before."
)


def tables_of(runs: Sequence[Figures]) -> list[Table]:
    """Give a table for each scenario; see ``Figures`` for what the columns mean."""
    return [
        Table(
            title=SCENARIOS[scenario].title,
            columns=_COLUMNS,
            rows=tuple(_row(figures) for figures in each),
            note="" if number else _NOTE,
        )
        for number, (scenario, each) in enumerate(groupby(runs, key=lambda run: run.scenario))
    ]


def _row(run: Figures) -> tuple[str, ...]:
    return (
        run.variant,
        _percent(run.goodput),
        _percent(run.after),
        f"{run.p50:.1f} s",
        f"{run.p99:.1f} s",
        f"{run.amplification:.2f}",
        _seconds(run.recovery),
        _seconds(run.all_ready),
        str(run.restarts),
        str(run.queue_peak),
        f"{run.requests:,}",
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _seconds(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s"
