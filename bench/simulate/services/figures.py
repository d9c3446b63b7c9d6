"""Figures: what a run of several services comes to, and how fairly they shared."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bench.simulate.ledger import Ledger
from bench.simulate.services.scenarios import TROUBLE
from bench.simulate.services.sharing import Sharing
from failsoft.messages import InferenceTimeout, ModelOverloaded

AROUND = 60


class SharedFigures(msgspec.Struct, frozen=True):
    """Tell how a run went. Times are in seconds; all but the lists are of the trouble, where
    nothing else is said.

    goodput: answers in time, as a share of what was asked for, or of the pool's capacity where
        that is less. before, after: of those who came in the minute before and after, the
        share that was answered.
    p50, p99: of answers. sends: to nodes, for each request that was sent at all.
    refused, late: shares of all who ever came: told that there is no room, or without an answer
        in time.
    fairness: Jain's index of what each service got of its fair share: 1 is even, 1/n is all to
        one. worst: what the worst off got of its fair share.
    others: of those who came to another service than the first, the share that was answered; None
        where there is but one.
    slots: requests that the workers work on at a time. limit: what services would have in work
        together, at the end. queued, most_queued: requests that waited in nodes.
    limits, queued_by_second, in_line, by_second: second by second, from the start; the last one
        holds the shares of those who came then that were answered; None: nobody came.
    """

    scenario: str
    setup: str
    services: int
    requests: int
    events: int
    goodput: float
    before: float
    after: float
    p50: float
    p99: float
    sends: float
    refused: float
    late: float
    fairness: float
    worst: float
    others: float | None
    slots: int
    limit: int
    queued: float
    most_queued: int
    limits: list[int]
    queued_by_second: list[int]
    in_line: list[int]
    by_second: list[float | None]


def figures_of(scenario: str, setup: str, run: Sharing) -> SharedFigures:
    """Sum a run up."""
    ledgers = [service.ledger for service in run.services]
    begin, end = int(TROUBLE), int(run.scenario.over_at)
    trouble = slice(begin, end)
    before, after = slice(begin - AROUND, begin), slice(end, end + AROUND)
    arrived = [sum(ledger.arrived[trouble]) for ledger in ledgers]
    got = [sum(ledger.done[trouble]) for ledger in ledgers]
    capacity = run.capacity * (end - begin)
    shares = [
        done / fair for done, fair in zip(got, fair_shares(arrived, capacity), strict=True) if fair
    ]
    latencies = sorted(
        seconds for each in ledgers for second, seconds in each.latencies if begin <= second < end
    )
    queued = run.seen.queued[trouble]
    return SharedFigures(
        scenario=scenario,
        setup=setup,
        services=len(ledgers),
        requests=sum(ledger.asked for ledger in ledgers),
        events=run.timeline.events,
        goodput=sum(got) / min(sum(arrived), capacity),
        before=_answered(ledgers, before),
        after=_answered(ledgers, after),
        p50=_quantile(latencies, 0.5),
        p99=_quantile(latencies, 0.99),
        sends=_sum(ledgers, "sends", trouble) / max(1, _sum(ledgers, "tried", trouble)),
        refused=_share_of(ledgers, ModelOverloaded.kind),
        late=_share_of(ledgers, InferenceTimeout.kind),
        fairness=jain(shares),
        worst=min(shares, default=1.0),
        others=_answered(ledgers[1:], trouble) if len(ledgers) > 1 else None,
        slots=sum(node.model.kind.slots for node in run.nodes),
        limit=run.seen.limits[end - 1],
        queued=sum(queued) / len(queued),
        most_queued=max(queued),
        limits=run.seen.limits,
        queued_by_second=run.seen.queued,
        in_line=run.seen.in_line,
        by_second=_by_second(ledgers),
    )


def fair_shares(asked: Sequence[float], capacity: float) -> list[float]:
    """Give what each is to get where nobody gets more than asked for, and the rest is even."""
    shares = [0.0] * len(asked)
    left = capacity
    in_order = sorted(range(len(asked)), key=lambda place: asked[place])
    for taken, place in enumerate(in_order):
        shares[place] = min(asked[place], left / (len(asked) - taken))
        left -= shares[place]
    return shares


def jain(shares: Sequence[float]) -> float:
    """Give Jain's index of fairness."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def _answered(ledgers: Sequence[Ledger], seconds: slice) -> float:
    return _sum(ledgers, "served", seconds) / max(1, _sum(ledgers, "arrived", seconds))


def _by_second(ledgers: Sequence[Ledger]) -> list[float | None]:
    arrived = [sum(each) for each in zip(*(ledger.arrived for ledger in ledgers), strict=True)]
    served = [sum(each) for each in zip(*(ledger.served for ledger in ledgers), strict=True)]
    return [done / came if came else None for done, came in zip(served, arrived, strict=True)]


def _sum(ledgers: Sequence[Ledger], field: str, seconds: slice) -> int:
    return sum(sum(getattr(ledger, field)[seconds]) for ledger in ledgers)


def _share_of(ledgers: Sequence[Ledger], outcome: str) -> float:
    asked = sum(ledger.asked for ledger in ledgers)
    return sum(ledger.outcomes[outcome] for ledger in ledgers) / max(1, asked)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
