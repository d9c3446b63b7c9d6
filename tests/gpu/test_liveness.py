"""Hung or slow: the policy, without any process."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.handle.liveness import LEAST_FIRST_STEP, LEAST_HANG, MOST, Liveness
from failsoft.messages.errors import InvalidInput
from failsoft.messages.frames import Began, Chunk, Done, Failed, Heartbeat, Loading
from failsoft.messages.wire import raw


@dataclass(frozen=True)
class Limits:
    heartbeat_every: float = 0.5
    heartbeat_limit: float = 5.0
    hang_limit: float | None = 30.0
    first_step_limit: float | None = 30.0
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


def ready_worker(limits: Limits | None = None) -> Liveness:
    liveness = Liveness(limits or Limits(), 0.0)
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
    liveness.began(32.2, 1)
    liveness.end(32.5, 1)
    assert liveness.check(33) is None


def test_the_end_of_one_that_was_never_begun_is_no_movement() -> None:
    """WK-02 Callers who come and leave behind a stuck request don't make it look alive."""
    liveness = ready_worker()
    liveness.begin(1.0)
    liveness.began(1.0, 1)
    for now in range(2, 32):
        liveness.begin(now)
        liveness.heed(Failed(now, InvalidInput("called off").info), now)
        assert liveness.check(now) is None
    assert liveness.check(32) == NO_STEP


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


def test_a_set_limit_is_neither_learned_nor_shared() -> None:
    """WK-02 The first step has its own; once all have shown something, the other one holds."""
    liveness = ready_worker(Limits(hang_limit=2.0, first_step_limit=4.0))
    liveness.begin(0.0)
    liveness.began(0.0, 1)
    assert check_until(liveness, 0.0, 4.0) is None
    liveness.shown(4.0, 1)
    assert check_until(liveness, 4.0, 6.0) is None
    assert liveness.check(6.4) == "it has made no step for 2 s with a request in hand"


def test_a_prompt_that_is_read_beside_texts_has_the_time_of_a_first_step() -> None:
    """WK-03 Until it shows something; what waits unbegun has no say."""
    liveness = ready_worker(Limits(heartbeat_limit=60.0, hang_limit=2.0, first_step_limit=20.0))
    for id in (1, 2):
        liveness.begin(0.0)
        liveness.began(0.0, id)
    liveness.shown(1.0, 1)
    assert check_until(liveness, 1.0, 20.0) is None
    liveness.shown(20.0, 2)
    liveness.begin(20.0)
    assert check_until(liveness, 20.0, 22.0) is None
    assert liveness.check(22.5) is not None


def test_what_was_sent_and_is_not_begun_has_the_time_of_a_first_step() -> None:
    """An idle engine that doesn't take it up is found all the same."""
    liveness = ready_worker(Limits(hang_limit=2.0, first_step_limit=4.0))
    liveness.begin(0.0)
    assert check_until(liveness, 0.0, 4.0) is None
    assert liveness.check(4.5) == "it has made no step for 4 s with a request in hand"


def test_what_shows_itself_to_nobody_is_known_by_the_heartbeat() -> None:
    """An answer that isn't streamed has its first step, too."""
    liveness = ready_worker(Limits(hang_limit=2.0))
    liveness.begin(0.0)
    liveness.heed(Began(1), 0.0)
    liveness.heed(Heartbeat(0.0, 1, (1,), 0, shown=(1,)), 1.0)
    assert check_until(liveness, 1.0, 3.0) is None
    assert liveness.check(3.5) is not None


LEARNED = Limits(heartbeat_limit=1e6, hang_limit=None, first_step_limit=None)


def streamed(liveness: Liveness, start: float, first: float, step: float, steps: int) -> float:
    """Have a request show itself after ``first`` seconds, then each ``step``; give its end."""
    now = start + first
    liveness.begin(start)
    liveness.heed(Began(1), start)
    liveness.heed(Chunk(1, raw(None)), now)
    for _ in range(steps):
        now += step
        liveness.heed(Chunk(1, raw(None)), now)
    liveness.heed(Done(1, raw(None)), now)
    return now


def limits_of(liveness: Liveness) -> tuple[float, float]:
    return liveness.first_step_limit, liveness.hang_limit


def test_before_anything_is_learned_the_most_holds() -> None:
    """WK-03 Nothing is known of the model, or of how slow the machine is."""
    assert limits_of(ready_worker(LEARNED)) == (MOST, MOST)


@pytest.mark.parametrize(
    ("first", "step", "limits"),
    [
        (0.01, 0.001, (LEAST_FIRST_STEP, LEAST_HANG)),
        (2.0, 0.001, (200.0, LEAST_HANG)),
        (2.0, 1.0, (200.0, 20.0)),
        (40.0, 1.0, (MOST, 120.0)),  # a later step may take three times the first
        (40.0, 30.0, (MOST, MOST)),
        (200.0, 1.0, (MOST, 600.0)),
    ],
)
def test_limits_are_learned_apart(first: float, step: float, limits: tuple[float, float]) -> None:
    """The slowest step so far, many times over, between a least and a most."""
    liveness = ready_worker(LEARNED)
    streamed(liveness, 0.0, first, step, 5)
    assert limits_of(liveness) == limits


def test_nothing_is_learned_from_what_fails_or_from_idle_time() -> None:
    """A refusal takes no time, and would make a slow model's first answer look like a hang."""
    liveness = ready_worker(LEARNED)
    liveness.begin(0.0)
    liveness.heed(Began(1), 0.0)
    liveness.heed(Heartbeat(0.0, 1, (1,), 0), 0.001)
    liveness.heed(Failed(1, InvalidInput("no").info), 0.001)
    assert limits_of(liveness) == (MOST, MOST)
    end = streamed(liveness, 1.0, 0.01, 0.01, 3)
    streamed(liveness, end + 1000, 0.01, 0.01, 3)
    assert limits_of(liveness) == (LEAST_FIRST_STEP, LEAST_HANG)


def test_rare_heartbeats_need_more_time() -> None:
    """Steps that show nothing are heard of with one."""
    limits = Limits(heartbeat_every=40.0, hang_limit=None, first_step_limit=None)
    liveness = ready_worker(limits)
    streamed(liveness, 0.0, 0.01, 0.01, 3)
    assert limits_of(liveness) == (160.0, 160.0)


def test_it_tells_what_it_has_learned() -> None:
    liveness = ready_worker(LEARNED)
    liveness.begin(0.0)
    liveness.began(0.0, 7)
    said = "1 running, 1 of them starting; first step within 300 s, others 300 s"
    assert repr(liveness) == f"<Liveness {said}>"


SHARES = st.lists(st.floats(0.001, 0.99), min_size=1, max_size=40)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["begin", "show", "steps", "end"]), st.floats(0.0, 1.0)), max_size=60
)


@given(EVENTS)
def test_what_moves_within_the_limit_of_the_moment_is_never_hung(
    events: list[tuple[str, float]],
) -> None:
    """WK-03 Learned limits, any requests, each gap up to the limit that held when it began."""
    liveness = ready_worker(LEARNED)
    now, checked, steps, next_id = 0.0, 0.0, 0, 1
    begun: list[int] = []
    for kind, share in events:
        until = now + share * liveness.limit
        while checked + liveness.check_every < until:
            checked += liveness.check_every
            assert liveness.check(checked) is None
        now = until
        if kind == "begin" or not begun:
            liveness.begin(now)
            liveness.began(now, next_id)
            begun.append(next_id)
            next_id += 1
        elif kind == "show":
            liveness.shown(now, begun[0])
        elif kind == "steps":
            steps += 1
            liveness.beat(now, steps)
        else:
            liveness.end(now, begun.pop())


@given(SHARES, st.booleans(), st.booleans())
def test_a_stall_is_found_within_the_limit_and_a_check(
    shares: list[float], is_shown: bool, is_learned: bool
) -> None:
    """WK-02 Whatever came before, however slow; not before the limit either."""
    limits = LEARNED if is_learned else Limits(heartbeat_limit=1e6)
    liveness = ready_worker(limits)
    now, steps = 0.0, 0
    liveness.begin(now)
    liveness.began(now, 1)
    for share in shares:
        now += share * 10
        steps += 1
        liveness.beat(now, steps, (1,) if is_shown else ())
        assert liveness.check(now) is None
    limit, stalled = liveness.limit, now
    assert limit == (liveness.hang_limit if is_shown else liveness.first_step_limit)
    while liveness.check(now) is None:
        assert now - stalled <= limit + liveness.check_every
        now += liveness.check_every
        liveness.beat(now, steps)
    assert now - stalled > limit


@given(SHARES)
def test_a_load_that_moves_is_never_hung(shares: list[float]) -> None:
    """WK-03 However long it takes in all."""
    liveness = Liveness(Limits(), 0.0)
    now, checked = 0.0, 0.0
    for share in shares:
        until = now + share * 120.0
        while checked + liveness.check_every < until:
            checked += liveness.check_every
            assert liveness.check(checked) is None
        now = until
        liveness.heed(Loading(1, 2), now)


@given(st.lists(st.sampled_from(["begin", "began", "shown", "end", "ready"])))
def test_ends_never_outnumber_beginnings(events: list[str]) -> None:
    """Late or doubled ends leave the count at nought, and nothing of a request stays."""
    liveness = Liveness(Limits(), 0.0)
    for now, event in enumerate(events):
        about = (7,) if event in ("began", "shown", "end") else ()
        getattr(liveness, event)(float(now), *about)
        assert liveness.running >= 0
    liveness.end(100.0, 7)
    assert "0 of them starting" in repr(liveness)
