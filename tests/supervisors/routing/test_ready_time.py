"""Ready times: when a model that is down will be ready again."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.supervisors.routing.ready_time import ReadyTimes


def after(*loads: float) -> ReadyTimes:
    """Give the times of a model that was loaded so often, and is down."""
    times = ReadyTimes()
    for load in loads:
        times.began(100.0)
        times.ready(100.0 + load)
    times.lost()
    return times


def test_nothing_is_known_before_the_first_load() -> None:
    """FB-01 So nobody is refused for it."""
    times = ReadyTimes()
    times.began(0.0)
    assert times.expected(5.0, None) is None
    assert times.expected(5.0, 7.0) is None
    assert times.least(5.0, None) == 0.0
    assert repr(times) == "<ReadyTimes loading, a load takes unknown>"


def test_the_wait_for_its_start_is_known_before_the_first_load() -> None:
    """FB-01 It is not ready before it is started."""
    assert ReadyTimes().least(5.0, 7.0) == 2.0


def test_a_load_under_way_takes_as_long_as_half_of_them_did() -> None:
    """FB-01 From its beginning; the least is the fastest one's."""
    times = after(10.0, 2.0, 4.0)
    times.began(50.0)
    assert [times.expected(now, None) for now in (50.0, 51.0, 53.0, 54.0)] == [4, 3, 1, 0]
    assert [times.least(now, None) for now in (50.0, 51.0, 53.0)] == [2, 1, 0]


def test_a_model_that_waits_for_its_start_takes_that_long_more() -> None:
    """FB-01 Where the start is due, or late, it counts from now."""
    times = after(4.0, 2.0, 10.0)
    assert [times.expected(now, 20.0) for now in (10.0, 20.0, 25.0)] == [14, 4, 4]
    assert [times.least(now, 20.0) for now in (10.0, 20.0, 25.0)] == [12, 2, 2]


def test_the_later_a_load_is_the_longer_it_may_yet_take() -> None:
    """FB-01 As long again as it is late."""
    times = after(4.0)
    times.began(0.0)
    assert [times.expected(now, None) for now in (4.0, 5.0, 8.0, 104.0)] == [0, 1, 4, 100]
    assert times.least(104.0, None) == 0.0


def test_a_model_that_is_down_and_will_not_be_started_has_no_time() -> None:
    """FB-01 The loads of before tell nothing of that."""
    times = after(4.0)
    assert times.expected(0.0, None) is None
    assert times.least(0.0, None) == 0.0


def test_a_model_that_is_ready_is_ready_now() -> None:
    """FB-01 Until it is lost."""
    times = ReadyTimes()
    times.began(0.0)
    times.ready(3.0)
    assert (times.expected(9.0, None), times.least(9.0, None)) == (0.0, 0.0)
    assert repr(times) == "<ReadyTimes ready, a load takes 3 s>"
    times.lost()
    assert times.expected(9.0, None) is None


def test_a_load_that_fails_does_not_count() -> None:
    """FB-01 Nor does its time go into the next one's."""
    times = after(4.0)
    times.began(0.0)
    times.lost()
    assert times.expected(1.0, None) is None
    times.ready(9.0)
    times.lost()
    times.began(100.0)
    assert times.expected(101.0, None) == 3.0
    assert times.statistics().loads == 1


def test_ready_without_a_beginning_is_no_load() -> None:
    """FB-01 A model that drained, say, and takes work again."""
    times = after(4.0)
    times.began(500.0)
    times.ready(504.0)
    times.ready(505.0)
    told = times.statistics()
    assert (told.loads, told.median, told.fastest) == (2, 4.0, 4.0)
    assert ReadyTimes().statistics().median is None


@given(
    loads=st.lists(st.floats(0, 1e4), min_size=1, max_size=20),
    elapsed=st.floats(0, 1e5),
    wait=st.floats(0, 1e5),
)
def test_the_last_eight_loads_tell(loads: list[float], elapsed: float, wait: float) -> None:
    """FB-01 Never below 0, never below the least while it isn't late."""
    times = after(*loads)
    recent = [(100.0 + load) - 100.0 for load in loads[-8:]]
    told = times.statistics()
    assert (told.loads, told.fastest) == (len(recent), min(recent))
    assert told.median == pytest.approx(median(recent))
    waits = times.expected(0.0, wait)
    assert waits == pytest.approx(wait + median(recent))
    assert times.least(0.0, wait) == pytest.approx(wait + min(recent))
    times.began(0.0)
    expected, least = times.expected(elapsed, None), times.least(elapsed, None)
    assert expected is not None
    assert expected >= 0
    assert expected == pytest.approx(abs(median(recent) - elapsed))
    assert least == pytest.approx(max(0.0, min(recent) - elapsed))
    if elapsed <= median(recent) - 1e-6:
        assert least <= expected
