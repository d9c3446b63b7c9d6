"""Admission: who gets a slot, who waits, and who is refused at once."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from failsoft.supervisors.routing.admission import (
    ADMITTED,
    QUEUED,
    Admission,
    Line,
    Queued,
    Refused,
)
from failsoft.supervisors.routing.limit import Limit


class Request(msgspec.Struct, eq=False):
    priority: int = 0
    tenant: str = ""
    deadline: float = math.inf


def line_of(slots: int, **admission: Any) -> Line[Request]:
    return Line(Admission(limit=Limit.fixed(slots), **admission))


def measured(slots: int, seconds: float, **admission: Any) -> Line[Request]:
    """Give a line that knows how long work takes, with all of its slots taken."""
    line = line_of(slots, **admission)
    line.enter(Request(), 0.0)
    line.release(0.0, seconds, 1.0)
    for _ in range(slots):
        assert line.enter(Request(), 0.0) is ADMITTED
    return line


def test_as_many_as_there_are_slots_are_admitted_and_the_others_wait() -> None:
    """AD-01 In order; a slot that is given back goes to the next."""
    line = line_of(2)
    requests = [Request() for _ in range(4)]
    entries = [line.enter(request, 0.0) for request in requests]
    assert entries == [ADMITTED, ADMITTED, QUEUED, QUEUED]
    assert line.next(0.0) is None
    line.release(1.0, 1.0, 1.0)
    assert line.next(1.0) is requests[2]
    assert line.next(1.0) is None
    line.release(1.0, 1.0, 1.0)
    line.release(1.0, 1.0, 1.0)
    assert line.next(1.0) is requests[3]
    assert line.next(1.0) is None
    assert (line.in_flight, line.waiting, line.limit) == (1, 0, 2)


def test_nobody_overtakes_who_waits() -> None:
    """AD-01 A slot is free, and not yet given to the next: a newcomer waits behind."""
    line = line_of(1)
    first, second = Request(), Request()
    line.enter(Request(), 0.0)
    line.enter(first, 0.0)
    line.release(1.0, None)
    assert not line.has_room
    assert line.enter(second, 1.0) is QUEUED
    assert line.next(1.0) is first


def test_a_full_queue_refuses_at_once_and_those_in_it_are_untouched() -> None:
    """AD-01 With a time to try again after: when its like would have begun."""
    line = measured(2, 4.0, queue_limit=3)
    waiting = [Request() for _ in range(3)]
    for request in waiting:
        assert line.enter(request, 0.0) is QUEUED
    assert line.enter(Request(), 0.0) == Refused("queue_full", 8.0)
    assert line.drain(0.0) == waiting
    assert line.statistics().queue_full == 1


@pytest.mark.parametrize(("seconds", "retry_after"), [(0.001, 1.0), (2.5, 2.5), (1e6, 60.0)])
def test_the_time_to_try_again_has_bounds(seconds: float, retry_after: float) -> None:
    """AD-01 From 1 to 60 s; 1 s where nothing is known."""
    line = measured(1, seconds, queue_limit=0)
    assert line.enter(Request(), 0.0) == Refused("queue_full", retry_after)
    assert line.retry_after(0.0) == retry_after
    assert line_of(1).retry_after(0.0) == 1.0


def test_one_of_a_higher_priority_takes_the_place_of_the_lowest() -> None:
    """AD-01 The one who loses it is named, and is in the line no more."""
    line = line_of(1, queue_limit=2)
    line.enter(Request(), 0.0)
    low, mid, high = Request(0), Request(1), Request(2)
    line.enter(mid, 0.0)
    line.enter(low, 0.0)
    assert line.enter(high, 0.0) == Queued(low)
    assert not line.leave(low)
    assert line.enter(Request(0), 0.0) == Refused("queue_full", 1.0)
    assert line.drain(0.0) == [high, mid]
    assert line.statistics().evicted == 1


def test_a_tenant_with_less_than_its_share_takes_the_place_of_one_with_more() -> None:
    """AD-01 Whoever fills the queue first doesn't have it to itself."""
    line = line_of(1, queue_limit=4)
    line.enter(Request(), 0.0)
    noisy = [Request(tenant="noisy") for _ in range(4)]
    for request in noisy:
        line.enter(request, 0.0)
    assert line.enter(Request(tenant="noisy"), 0.0) == Refused("queue_full", 1.0)
    assert line.enter(Request(tenant="quiet"), 0.0) == Queued(noisy[3])
    assert line.enter(Request(tenant="quiet"), 0.0) == Queued(noisy[2])
    assert line.enter(Request(tenant="quiet"), 0.0) == Refused("queue_full", 1.0)


def test_high_goes_before_low_and_low_is_not_starved() -> None:
    """AD-03 One slot, 1 s each, a high one every second: low begins once it has aged."""
    line = line_of(1, ageing=10.0)
    line.enter(Request(), 0.0)
    low = Request(0)
    line.enter(low, 0.0)
    started = []
    for second in range(1, 30):
        line.enter(Request(2), second - 0.5)
        line.release(float(second), 1.0, 1.0)
        started.append(line.next(float(second)))
    assert low not in started[:20]
    assert low in started[20:23]


@pytest.mark.parametrize(
    ("deadline", "margin", "is_taken"),
    [
        (6.1, 0.0, True),  # two wait, then it: its is the third slot, of two given back every 4 s
        (5.9, 0.0, False),
        (10.1, 1.0, True),
        (9.9, 1.0, False),
        (14.1, None, True),
        (13.9, None, False),
        (math.inf, None, True),
    ],
)
def test_a_deadline_that_cannot_be_met_is_refused_at_once(
    deadline: float, margin: float | None, is_taken: bool
) -> None:
    """AD-04 By the wait, and by so many times the usual time of an answer: twice by default."""
    line = measured(2, 4.0, **({} if margin is None else {"margin": margin}))
    for _ in range(2):
        line.enter(Request(), 0.0)
    entry = line.enter(Request(deadline=deadline), 0.0)
    assert entry == (QUEUED if is_taken else Refused("deadline", 6.0))
    assert line.statistics().late == (not is_taken)


def test_a_short_deadline_does_not_matter_where_a_slot_is_free() -> None:
    """AD-04 What a short request takes isn't known; but one whose time is up is refused."""
    line = measured(2, 4.0)
    line.release(0.0, None)
    assert line.enter(Request(deadline=5.0), 5.0) == Refused("deadline", 1.0)
    assert line.enter(Request(deadline=5.1), 5.0) is ADMITTED


def test_a_high_priority_waits_less_and_so_may_have_less_time() -> None:
    """AD-04 Only those ahead of it count; of a backlog, as many as have turns before."""
    line = measured(1, 1.0)
    for _ in range(9):
        line.enter(Request(tenant="noisy"), 0.0)
    assert isinstance(line.enter(Request(0, "noisy", 5.0), 0.0), Refused)
    assert line.enter(Request(1, "noisy", 5.0), 0.0) is QUEUED
    assert line.enter(Request(0, "quiet", 5.1), 0.0) is QUEUED
    assert line.expected_wait(0.0) == 1 + 3.0  # behind the high one and a turn of each
    assert line.expected_wait(0.0, tenant="noisy") == 1 + 1 + 9 + 1.0
    assert line.expected_wait(0.0, priority=2) == 1.0


def test_what_to_expect_is_known_once_work_was_measured() -> None:
    """AD-04 Before that, nobody is refused for it."""
    line = line_of(1)
    assert line.expected_wait(0.0) == 0.0
    line.enter(Request(), 0.0)
    assert line.expected_wait(0.0) is None
    assert line.enter(Request(deadline=0.001), 0.0) is QUEUED
    line.release(3.0, 3.0, 1.0)
    assert line.expected_wait(3.0) == 3.0  # the slot that is free is the next one's
    assert line.usual_seconds == 3.0


def test_a_limit_that_fell_is_waited_for() -> None:
    """AD-02 Those over it finish first; then slots are given out again."""
    line: Line[Request] = Line(Admission(limit=Limit(initial=8, window=2)))
    for _ in range(8):
        line.enter(Request(), 0.0)
    line.enter(Request(), 0.0)
    for _ in range(40):  # it probes with half
        if line.limit < 8:
            break
        line.release(1.0, 1.0, 1.0)
        line.enter(Request(), 1.0)
        line.next(1.0)
    assert line.limit == 4
    assert line.in_flight == 7
    for in_flight in (6, 5, 4):
        line.release(1.0, None)
        assert line.next(1.0) is None or line.in_flight <= 4
        assert line.in_flight <= in_flight
    assert line.in_flight <= line.limit


def test_work_cut_short_counts_only_where_it_took_long() -> None:
    """AD-04 It shows a slow model, never a quick one; work counts, and failures don't."""
    line = measured(4, 2.0)
    line.release(0.0, None)
    line.release(0.0, 0.1)
    assert line.usual_seconds == 2.0
    line.release(0.0, 12.0)
    assert line.usual_seconds == pytest.approx(3.0)
    empty = line_of(1)
    empty.enter(Request(), 0.0)
    empty.release(0.0, 5.0)
    assert empty.usual_seconds == 0.0


def test_latency_is_held_against_the_work_done() -> None:
    """AD-02 Long answers are no slow model: the limit goes by the seconds for each token."""
    line: Line[Request] = Line(Admission(limit=Limit(initial=4, window=2)))
    for tokens in (10.0, 1000.0) * 50:
        line.enter(Request(), 0.0)
        line.release(0.0, tokens / 100, tokens)
    base = line.statistics().limit.base
    assert base == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("seconds", "least", "most"), [(0.0002, 16, 64), (0.003, 2, 5), (0.1, 1, 3)]
)
def test_a_model_of_one_slot_is_given_what_it_does_within_milliseconds(
    seconds: float, least: int, most: int
) -> None:
    """AD-02 A quick one isn't handed one request at a time, since each would cost a wake-up."""
    line: Line[Request] = Line(Admission())
    limits = []
    for _ in range(4000):
        while line.takes(Request(), 0.0):
            pass
        line.release(0.0, line.in_flight * seconds, 1.0)
        limits.append(line.limit)
    assert least <= sum(limits[2000:]) / 2000 <= most


def test_a_paused_line_admits_nobody_and_resumes_where_it_was() -> None:
    """AD-01 Those who come, wait; what is in work may end meanwhile."""
    line = measured(2, 1.0)
    line.pause()
    line.release(0.0, 1.0, 1.0)
    waiting = Request(deadline=0.5)  # less than an answer takes; but nobody is before it
    assert line.enter(waiting, 0.0) is QUEUED
    assert line.enter(Request(deadline=0.5), 0.0) == Refused("deadline", 1.0)
    assert line.next(0.0) is None
    assert line.expected_wait(0.0) is None
    assert repr(line) == "<Line in_flight=1/2 waiting=1/256 paused>"
    line.resume()
    assert line.next(0.0) is waiting


def test_those_who_wait_can_be_taken_out() -> None:
    """AD-01 One by one, or all, in order: they go elsewhere."""
    line = line_of(1)
    line.enter(Request(), 0.0)
    low, high, gone = Request(0), Request(1), Request(2)
    for request in (low, high, gone):
        line.enter(request, 0.0)
    assert line.leave(gone)
    assert not line.leave(gone)
    assert line.drain(0.0) == [high, low]
    assert line.drain(0.0) == []
    statistics = line.statistics()
    assert (statistics.withdrawn, statistics.drained, statistics.waiting) == (1, 2, 0)


def test_a_slot_is_given_back_once() -> None:
    """AD-01 And nobody has two places."""
    line = line_of(1)
    with pytest.raises(RuntimeError, match="release each one once"):
        line.release(0.0, 1.0)
    line.enter(Request(), 0.0)
    request = Request()
    line.enter(request, 0.0)
    with pytest.raises(ValueError, match="waits already"):
        line.enter(request, 0.0)


@pytest.mark.parametrize(
    ("wrong", "asked"),
    [
        ({"queue_limit": -1}, "queue_limit >= 0"),
        ({"ageing": 0.0}, "ageing > 0 s"),
        ({"ageing": math.inf}, "finite"),
        ({"margin": -1.0}, "margin >= 0"),
        ({"margin": math.nan}, "margin >= 0"),
    ],
)
def test_an_admission_out_of_range_is_refused(wrong: dict[str, Any], asked: str) -> None:
    """AD-01 With what is asked for."""
    with pytest.raises(ValueError, match=asked):
        Admission(**wrong)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens, in whatever order: who enters goes out exactly once."""

    def __init__(self) -> None:
        super().__init__()
        limit = Limit(initial=3, most=5, window=2, probe_every=2)
        self.line: Line[Request] = Line(Admission(queue_limit=4, limit=limit, ageing=2.0))
        self.now = 0.0
        self.waiting: list[Request] = []
        self.paused = False
        self.in_flight = 0
        self.told: Counter[str] = Counter()

    @rule(
        priority=st.integers(0, 2),
        tenant=st.sampled_from("abc"),
        seconds=st.floats(0, 9) | st.none(),
    )
    def enter(self, priority: int, tenant: str, seconds: float | None) -> None:
        deadline = math.inf if seconds is None else self.now + seconds
        request = Request(priority, tenant, deadline)
        had_room = self.line.has_room
        entry = self.line.enter(request, self.now)
        if entry is ADMITTED:
            assert had_room
            self.in_flight += 1
            self.told["started"] += 1
        elif isinstance(entry, Queued):
            self.waiting.append(request)
            if entry.evicted is not None:
                self.waiting.remove(entry.evicted)
                self.told["evicted"] += 1
        else:
            assert isinstance(entry, Refused)
            assert 1 <= entry.retry_after <= 60
            self.told["late" if entry.reason == "deadline" else "queue_full"] += 1

    @rule()
    def next(self) -> None:
        request = self.line.next(self.now)
        if request is None:
            assert self.paused or not self.waiting or self.in_flight >= self.line.limit
            return
        assert not self.paused
        assert self.in_flight < self.line.limit
        self.waiting.remove(request)
        self.in_flight += 1
        self.told["started"] += 1

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.waiting))
        assert self.line.leave(request)
        assert not self.line.leave(request)
        self.waiting.remove(request)
        self.told["withdrawn"] += 1

    @precondition(lambda self: self.in_flight)
    @rule(seconds=st.floats(0, 100) | st.none(), work=st.sampled_from([None, 1.0, 30.0]))
    def release(self, seconds: float | None, work: float | None) -> None:
        self.line.release(self.now, seconds, work)
        self.in_flight -= 1

    @rule()
    def drain(self) -> None:
        drained = self.line.drain(self.now)
        assert sorted(drained, key=id) == sorted(self.waiting, key=id)
        self.told["drained"] += len(drained)
        self.waiting.clear()

    @rule(is_pause=st.booleans())
    def pause(self, is_pause: bool) -> None:
        self.paused = is_pause
        self.line.pause() if is_pause else self.line.resume()

    @rule(seconds=st.floats(0, 5))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def it_counts_right(self) -> None:
        statistics = self.line.statistics()
        shown = msgspec.structs.asdict(statistics)
        assert {name: shown[name] for name in self.told} == dict(self.told)
        assert (statistics.in_flight, statistics.waiting) == (self.in_flight, len(self.waiting))
        assert (self.line.in_flight, self.line.waiting) == (self.in_flight, len(self.waiting))
        assert statistics.waiting <= 4
        wait = self.line.expected_wait(self.now)
        assert wait is None or wait >= 0


TestAnyOrder = AnyOrder.TestCase


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=30))
def test_the_usual_time_lies_among_the_times(seconds: list[float]) -> None:
    """AD-04 A mean of the last ones."""
    line = line_of(1)
    for each in seconds:
        line.enter(Request(), 0.0)
        line.release(0.0, each, 1.0)
    assert min(seconds) * 0.999 <= line.usual_seconds <= max(seconds) * 1.001
