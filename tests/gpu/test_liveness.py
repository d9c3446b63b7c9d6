"""Hung or slow: the policy, without any process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.liveness import Liveness


@dataclass(frozen=True)
class Limits:
    heartbeat_limit: float = 5.0
    hang_limit: float = 30.0
    load_hang_limit: float = 120.0


NO_LIFE = "it has given no sign of life for 5 s"
NO_STEP = "it has made no step for 30 s with a request in hand"
NO_LOAD = "its load has not moved for 120 s"


def check_until(liveness: Liveness, start: float, end: float) -> str | None:
    """Check as often as asked for; give the first reason."""
    now = start
    while now <= end:
        reason = liveness.check(now)
        if reason is not None:
            return reason
        now += liveness.check_every
    return None


def ready_worker() -> Liveness:
    liveness = Liveness(Limits(), 0.0)
    liveness.ready(0.0)
    return liveness


@pytest.mark.parametrize(("until", "reason"), [(4.0, None), (5.0, None), (7.0, NO_LIFE)])
def test_a_ready_worker_must_give_signs_of_life(until: float, reason: str | None) -> None:
    """WK-02 At the limit exactly it is alive still."""
    assert check_until(ready_worker(), 0.0, until) == reason


@pytest.mark.parametrize(("until", "reason"), [(100.0, None), (120.0, None), (122.0, NO_LOAD)])
def test_a_load_must_move(until: float, reason: str | None) -> None:
    """WK-02 Heartbeats are not asked for while it loads, and are not enough."""
    liveness = Liveness(Limits(), 0.0)
    now = 0.0
    seen = None
    while now <= until and seen is None:
        liveness.beat(now, 0)
        seen = liveness.check(now)
        now += 1.0
    assert seen == reason


def test_a_stuck_request_is_found_though_the_heart_beats() -> None:
    """WK-02 The same number of steps again and again is no movement."""
    liveness = ready_worker()
    liveness.begin(1.0)
    seen = []
    for now in range(1, 33):
        liveness.beat(now, 7)
        seen.append(liveness.check(now))
    assert seen == [None] * 31 + [NO_STEP]


def test_an_idle_worker_needs_no_steps() -> None:
    """The clock of the hang limit starts when a request is given to an idle worker."""
    liveness = ready_worker()
    for now in range(1, 100):
        liveness.beat(now, 0)
        assert liveness.check(now) is None
    liveness.begin(100.0)
    for now in range(100, 131):
        liveness.beat(now, 0)
        assert liveness.check(now) is None
    liveness.beat(131, 0)
    assert liveness.check(131) == NO_STEP


def test_a_second_request_gives_no_new_time() -> None:
    """Requests that wait behind a stuck one don't make it look alive; an end does."""
    liveness = ready_worker()
    for now in range(1, 31):
        liveness.begin(now)
        liveness.beat(now, 0)
        assert liveness.check(now) is None
    liveness.beat(32, 0)
    assert liveness.check(32) == NO_STEP
    liveness.end(32.5)
    assert liveness.check(33) is None


def test_a_service_that_stood_still_gives_time_anew() -> None:
    """What the worker sent meanwhile may be unread; one that is dead is found a period later."""
    liveness = ready_worker()
    assert liveness.check(1.0) is None
    assert liveness.check(1000.0) is None
    assert check_until(liveness, 1001.0, 1005.0) is None
    assert check_until(liveness, 1005.5, 1010.0) == NO_LIFE


def test_a_service_that_is_always_late_still_finds_a_dead_worker() -> None:
    """The time lost doesn't count, the rest does: it takes longer, but not for ever."""
    liveness = ready_worker()
    now, checks = 0.0, 0
    while liveness.check(now) is None:
        now += 4 * liveness.check_every
        checks += 1
        assert checks < 10
    assert checks > 5


GAPS = st.lists(st.floats(0.001, 0.99), min_size=1, max_size=50)


@given(GAPS)
def test_slow_but_moving_is_never_hung(gaps: list[float]) -> None:
    """WK-03 Any series of steps, each within the limit after the one before, however many."""
    limits = Limits(heartbeat_limit=1.0, hang_limit=1.0, load_hang_limit=1.0)
    liveness = Liveness(limits, 0.0)
    now, checked, steps = 0.0, 0.0, 0
    is_loading = True
    for gap in gaps * 3:
        while checked + liveness.check_every < now + gap:
            checked += liveness.check_every
            assert liveness.check(checked) is None
        now += gap
        if is_loading:
            liveness.moved(now)
            if now > 5:
                liveness.ready(now)
                liveness.begin(now)
                is_loading = False
        else:
            steps += 1
            liveness.beat(now, steps)


@given(GAPS, st.booleans(), st.booleans())
def test_what_stands_still_is_always_found(
    gaps: list[float], is_loading: bool, beats: bool
) -> None:
    """WK-02 Whatever came before: no movement for longer than the limit and two checks is hung."""
    limits = Limits(heartbeat_limit=1.0, hang_limit=1.0, load_hang_limit=1.0)
    liveness = Liveness(limits, 0.0)
    if not is_loading:
        liveness.ready(0.0)
        liveness.begin(0.0)
    now, steps = 0.0, 0
    for gap in gaps:
        now += gap
        steps += 1
        liveness.moved(now) if is_loading else liveness.beat(now, steps)
        liveness.check(now)
    reasons = []
    for _ in range(8):
        now += liveness.check_every
        if beats:
            liveness.beat(now, steps)
        reasons.append(liveness.check(now))
    assert reasons[-1] is not None
    assert reasons[:4] == [None] * 4


@given(st.lists(st.sampled_from(["heard", "moved", "begin", "end", "ready"])))
def test_ends_never_outnumber_beginnings(events: list[str]) -> None:
    """Late or doubled ends leave the count at nought."""
    liveness = Liveness(Limits(), 0.0)
    for now, event in enumerate(events):
        getattr(liveness, event)(float(now))
        assert liveness.running >= 0
