"""Figures: what a run comes to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.simulate.fleet import Fleet
from bench.simulate.routed import Routed
from bench.simulate.scenarios import BEFORE, TROUBLE, Scenario

RECOVERED = 0.95
SMOOTH = 5
AFTERMATH = 60


class Figures(msgspec.Struct, frozen=True):
    """Tell how a run went. Times are in seconds; of what clients were promised by deadline.

    goodput: answers in time during the trouble, as a share of what the models that were left
        could have given of what was asked for; None where none was left. after: the same of the
        minute that follows. p50, p99: of answers to those who came in the trouble and that minute.
    amplification: sends for each request that was sent at all, in these times.
    recovery: from the end of the trouble until the share of requests that are answered is 95 % of
        what it was before; None: not while the run lasted. all_ready: until all models are.
    restarts: of workers; worst_restarts: those of one family. cool_downs: of models.
    queue_peak: requests that waited at once, in the whole fleet.
    by_second: shares of those who arrived in each second that were answered; None: nobody came.
    """

    scenario: str
    variant: str
    requests: int
    events: int
    cpu_seconds: float
    goodput: float | None
    after: float | None
    p50: float
    p99: float
    amplification: float
    recovery: float | None
    all_ready: float | None
    restarts: int
    worst_restarts: int
    cool_downs: int
    queue_peak: int
    outcomes: dict[str, int]
    poison_outcomes: dict[str, int]
    told: dict[str, int]
    by_second: list[float | None]
    done: list[int]
    waiting: list[int]


def figures_of(
    scenario: str,
    script: Scenario,
    variant: str,
    fleet: Fleet,
    could: tuple[float, float],
    all_ready: float | None,
    cpu_seconds: float,
) -> Figures:
    """Sum a run up. could: answers a second that were possible, in the trouble and after."""
    ledger = fleet.ledger
    begin, end = int(TROUBLE), int(script.over_at)
    late = min(end + AFTERMATH, len(ledger.done))
    latencies = sorted(seconds for second, seconds in ledger.latencies if begin <= second < late)
    tried = sum(ledger.tried[begin:late])
    told: dict[str, int] = {}
    for family in fleet.families:
        if isinstance(family, Routed):
            for kind, times in family.told.items():
                told[kind] = told.get(kind, 0) + times
    return Figures(
        scenario=scenario,
        variant=variant,
        requests=ledger.asked,
        events=fleet.timeline.events,
        cpu_seconds=cpu_seconds,
        goodput=_share(ledger.done[begin:end], could[0]),
        after=_share(ledger.done[end:late], could[1]),
        p50=_quantile(latencies, 0.5),
        p99=_quantile(latencies, 0.99),
        amplification=sum(ledger.sends[begin:late]) / tried if tried else 0.0,
        recovery=recovery_of(ledger.arrived, ledger.served, end),
        all_ready=all_ready,
        restarts=sum(family.restarts for family in fleet.families),
        worst_restarts=max(family.restarts for family in fleet.families),
        cool_downs=sum(family.cool_downs for family in fleet.families),
        queue_peak=max(ledger.waiting),
        outcomes=dict(sorted(ledger.outcomes.items())),
        poison_outcomes=dict(sorted(ledger.poison_outcomes.items())),
        told=dict(sorted(told.items())),
        by_second=[
            served / arrived if arrived else None
            for arrived, served in zip(ledger.arrived, ledger.served, strict=True)
        ],
        done=ledger.done,
        waiting=ledger.waiting,
    )


def recovery_of(arrived: Sequence[int], served: Sequence[int], end: int) -> float | None:
    """Give the seconds from ``end`` until the share of those served is nearly as before."""
    before = slice(*BEFORE)
    usual = sum(served[before]) / max(1, sum(arrived[before]))
    for second in range(end, len(arrived) - SMOOTH + 1):
        came = sum(arrived[second : second + SMOOTH])
        if came and sum(served[second : second + SMOOTH]) / came >= RECOVERED * usual:
            return float(second - end)
    return None


def _share(done: Sequence[int], could: float) -> float | None:
    return sum(done) / (could * len(done)) if could and done else None


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
