"""The queue in front of a model: priorities that age, and tenants that take turns."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.supervisors.routing.fair_queue import FairQueue


class Request(msgspec.Struct, eq=False):
    name: str = ""
    priority: int = 0
    tenant: str = ""
    deadline: float = math.inf


def filled(*requests: Request, ageing: float = 10.0) -> FairQueue[Request]:
    """Give a queue to which these came at 0 s, 1 s, 2 s …"""
    queue: FairQueue[Request] = FairQueue(ageing)
    for now, request in enumerate(requests):
        queue.add(request, float(now))
    return queue


def of(tenant: str, count: int, priority: int = 0) -> list[Request]:
    return [Request(f"{tenant}{n}", priority, tenant) for n in range(count)]


def popped(queue: FairQueue[Request]) -> list[Request]:
    taken = []
    while (request := queue.pop()) is not None:
        taken.append(request)
    return taken


def names(requests: Iterable[Request]) -> str:
    return " ".join(request.name for request in requests)


def test_high_goes_before_low_and_in_a_priority_the_first_goes_first() -> None:
    """AD-03 Whatever came first."""
    low, high, top = of("low", 2), of("high", 2, priority=1), of("top", 1, priority=5)
    assert names(popped(filled(*low, *high, *top))) == "top0 high0 high1 low0 low1"


def test_low_that_has_waited_goes_before_high_that_hasnt() -> None:
    """AD-03 Ten seconds lift it by one priority, as much as it takes to be equal, and more."""
    queue = filled(Request("low"))
    queue.add(Request("soon", priority=1), 9.9)
    queue.add(Request("equal", priority=1), 10.0)
    queue.add(Request("later", priority=1), 10.1)
    assert names(popped(queue)) == "soon equal low later"
    queue = filled(Request("low"))
    queue.add(Request("later", priority=1), 10.1)
    assert names(popped(queue)) == "low later"


def test_the_one_that_has_waited_longest_tells_how_high_its_priority_is() -> None:
    """AD-03 Whoever of its tenants it is, and whosever turn it is."""
    queue = filled(*of("a", 1), *of("b", 2))
    queue.add(Request("high", 1), 10.5)
    queue.add(Request("higher", 2), 20.8)
    assert names(popped(queue)) == "a0 high higher b0 b1"


def test_equal_ages_leave_the_high_one_first() -> None:
    """AD-03 A tie goes to the priority that was asked for."""
    queue = filled(Request("low"))
    queue.add(Request("equal", priority=1), 10.0)
    assert names(popped(queue)) == "equal low"


def test_tenants_take_turns() -> None:
    """AD-03 A backlog waits behind itself, and nobody behind it."""
    queue = filled(*of("noisy", 4), *of("a", 1), *of("b", 2))
    assert names(popped(queue)) == "noisy0 a0 b0 noisy1 b1 noisy2 noisy3"


def test_a_backlog_that_is_old_does_not_go_before_others() -> None:
    """AD-03 Age lifts a priority, in which turns are still taken."""
    queue = filled(*of("noisy", 4))
    queue.add(Request("late", tenant="late"), 1000.0)
    assert names(popped(queue)) == "noisy0 late noisy1 noisy2 noisy3"


def test_one_that_leaves_is_gone() -> None:
    """AD-03 And its tenant's next one has its turn."""
    first, second, other = *of("a", 2), *of("b", 1)
    queue = filled(first, second, other)
    assert queue.remove(first)
    assert not queue.remove(first)
    assert not queue.remove(Request("a0", tenant="a"))  # it looks the same, and never came
    assert second in queue
    assert first not in queue
    assert repr(queue) == "<FairQueue 2 of 2 tenants>"
    assert names(popped(queue)) == "a1 b0"


def test_one_that_waits_cannot_come_again() -> None:
    """AD-03 A ticket has one place."""
    request = Request("a")
    queue = filled(request)
    with pytest.raises(ValueError, match="waits already"):
        queue.add(request, 1.0)
    assert len(queue) == 1


@pytest.mark.parametrize(
    ("priority", "tenant", "now", "ahead"),
    [
        (0, "a", 5.0, 1 + 2 + 3),  # the higher one, its own, and b's, who has three turns by then
        (0, "b", 5.0, 1 + 2 + 3),
        (0, "c", 5.0, 1 + 1 + 1),  # one turn each
        (1, "c", 5.0, 1),
        (2, "c", 5.0, 0),
        (1, "c", 13.5, 1 + 4),  # what waits for over ten seconds is as high
        (-1, "c", 5.0, 6),
    ],
)
def test_those_ahead_are_counted(priority: int, tenant: str, now: float, ahead: int) -> None:
    """AD-04 Of what waits: the higher, the lifted, and of equals as many as have turns before."""
    queue = filled(*of("a", 2), *of("b", 3), Request("high", 1, "x"))
    assert queue.ahead_of(priority, tenant, now) == ahead


def shed(queue: FairQueue[Request], newcomer: Request, places: int, now: float = 9.0) -> str | None:
    leaver = queue.to_shed_for(newcomer, places, now)
    return None if leaver is None else leaver.name


def test_the_newest_of_the_lowest_leaves_for_a_higher() -> None:
    """AD-01 Of the tenant who has most; equals never push out equals."""
    queue = filled(*of("a", 1), *of("b", 2), Request("high", 1, "c"))
    assert shed(queue, Request("new", 1, "b"), 4) == "b1"
    assert shed(queue, Request("new", 0, "b"), 4) is None
    assert shed(queue, Request("new", -1, "d"), 4) is None


def test_low_that_has_aged_is_not_low_any_more() -> None:
    """AD-03 It keeps its place against what is as high by now."""
    queue = filled(Request("low"))
    assert shed(queue, Request("new", 1), 1, now=9.9) == "low"
    assert shed(queue, Request("new", 1), 1, now=10.0) is None
    assert shed(queue, Request("new", 2), 1, now=10.0) == "low"


@pytest.mark.parametrize(
    ("noisy", "own", "places", "leaver"),
    [
        (6, 0, 6, "noisy5"),
        (5, 1, 6, "noisy4"),
        (4, 2, 6, "noisy3"),
        (3, 3, 6, None),
        (3, 2, 5, None),  # else the two would push each other out in turns
        (1, 0, 1, None),
    ],
)
def test_a_tenant_keeps_a_fair_share_of_the_places(
    noisy: int, own: int, places: int, leaver: str | None
) -> None:
    """AD-01 One with less than its share gets a place of one with more."""
    queue = filled(*of("noisy", noisy), *of("own", own))
    assert shed(queue, Request("new", 0, "own"), places) == leaver


def test_a_share_is_not_taken_from_a_higher_priority() -> None:
    """AD-01 Shares are of equals."""
    queue = filled(*of("noisy", 6, priority=1))
    assert shed(queue, Request("new", 0, "own"), 6) is None
    assert shed(queue, Request("new", 1, "own"), 6) == "noisy5"


arrivals = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-1, 2), st.booleans()), max_size=60
)


@given(st.integers(2, 5), st.integers(1, 8), st.lists(st.sampled_from("vwxyz"), max_size=40))
def test_tenants_with_a_backlog_get_equal_shares_in_any_window(
    tenants: int, rounds: int, others: list[str]
) -> None:
    """AD-03 Within one, whoever else comes and goes meanwhile."""
    backlogged = [f"t{n}" for n in range(tenants)]
    queue = filled(*(request for name in backlogged for request in of(name, 40)))
    started: list[str] = []
    coming = iter(others)
    for now in range(tenants * rounds + len(others)):
        other = next(coming, None)
        if other is not None:
            queue.add(Request(other, 0, other), 1000.0 + now)
        request = queue.pop()
        assert request is not None
        started.append(request.tenant)
    for begin in range(len(started)):
        counts: Counter[str] = Counter(dict.fromkeys(backlogged, 0))
        for tenant in started[begin:]:
            counts[tenant] += 1
            shares = [counts[name] for name in backlogged]
            assert max(shares) - min(shares) <= 1


@given(arrivals, st.floats(0.5, 5))
def test_all_who_wait_are_started_within_a_bound(
    arrivals: list[tuple[str, int, bool]], ageing: float
) -> None:
    """AD-03 Though higher ones come without end.

    Once it has aged by all the priorities there are, nobody who comes later goes before it but in
    turns: each of those older is started within as many starts as there are tenants.
    """
    queue: FairQueue[Request] = FairQueue(ageing)
    for now, (tenant, priority, _) in enumerate(arrivals):
        queue.add(Request(str(now), priority, tenant), float(now))
    low = Request("low", -2, "low")
    now = len(arrivals)
    queue.add(low, float(now))
    tenants = len({*"abc", "low", "high"})
    bound = math.ceil(4 * ageing) + 1 + tenants * (len(queue) + math.ceil(4 * ageing) + 1)
    for start in range(bound):
        queue.add(Request("high", 2, "high"), float(now + start))
        if queue.pop() is low:
            return
    raise AssertionError(f"not started within {bound} starts")


@given(arrivals)
def test_all_who_come_go_once_by_priority_and_each_tenants_in_order(
    arrivals: list[tuple[str, int, bool]],
) -> None:
    """AD-03 Also where some leave in between; and what is counted is what there is."""
    queue: FairQueue[Request] = FairQueue(1e9)
    waiting: list[Request] = []
    for now, (tenant, priority, leaves) in enumerate(arrivals):
        request = Request(str(now), priority, tenant)
        queue.add(request, float(now))
        waiting.append(request)
        if leaves:
            leaver = waiting.pop(len(waiting) // 2)
            assert queue.remove(leaver)
        assert len(queue) == len(waiting)
    taken = popped(queue)
    assert sorted(taken, key=id) == sorted(waiting, key=id)
    priorities = [request.priority for request in taken]
    assert priorities == sorted(priorities, reverse=True)
    for tenant in "abc":
        for priority in range(-1, 3):
            own = [int(r.name) for r in taken if (r.tenant, r.priority) == (tenant, priority)]
            assert own == sorted(own)
    assert repr(queue) == "<FairQueue 0 of 0 tenants>"
