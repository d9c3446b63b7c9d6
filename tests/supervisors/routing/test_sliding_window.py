"""Sliding windows: the counts of the latest calls."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.supervisors.routing.breaker import CountWindow, TimeWindow
from failsoft.supervisors.routing.sliding_window import (
    FAILED,
    SLICES,
    SLOW,
    WELL,
    LastCalls,
    LastSeconds,
    SlidingWindow,
    open_window,
)

outcomes = st.sampled_from([WELL, FAILED, SLOW, FAILED | SLOW])
# Within a slice, from slice to slice, on their borders, past the whole window, far past it.
gaps = st.one_of(
    st.sampled_from([0.0, 0.0, 0.1, 0.5, 1.0, 2.0, 59.0, 60.0, 61.0, 1e6]), st.floats(0, 100)
)


def counts(window: SlidingWindow) -> tuple[int, int, int]:
    return window.calls, window.failures, window.slow


def recount(calls: list[int]) -> tuple[int, int, int]:
    failures = sum(bool(outcome & FAILED) for outcome in calls)
    return len(calls), failures, sum(bool(outcome & SLOW) for outcome in calls)


@given(st.integers(1, 12), st.lists(outcomes, max_size=60))
def test_the_last_calls_are_counted_as_a_plain_list_would(size: int, added: list[int]) -> None:
    """BR-02 Whatever falls out at the other end."""
    window = LastCalls(size)
    for number, outcome in enumerate(added, start=1):
        window.add(outcome, 0.0)
        assert counts(window) == recount(added[:number][-size:])


@given(st.floats(0, 1e9), st.sampled_from([60.0, 6.0, 0.7]), st.lists(st.tuples(gaps, outcomes)))
def test_the_last_seconds_are_counted_as_a_plain_list_would(
    now: float, seconds: float, added: list[tuple[float, int]]
) -> None:
    """BR-02 By whole slices of time."""
    window = LastSeconds(seconds)
    past: list[tuple[float, int]] = []
    for gap, outcome in added:
        now += gap
        window.add(outcome, now)
        past.append((now // (seconds / SLICES), outcome))
        latest, _ = past[-1]
        assert counts(window) == recount([was for slice, was in past if latest - slice < SLICES])


@given(st.floats(0, 1e6), st.floats(0, 70))
def test_a_call_counts_for_the_seconds_or_one_slice_less(start: float, later: float) -> None:
    """BR-02 Never for longer; never for much less."""
    window = LastSeconds(60.0)
    window.add(FAILED, start)
    window.add(WELL, start + later)
    if later > 60:
        assert window.failures == 0
    if later < 59:
        assert window.failures == 1


@pytest.mark.parametrize(
    ("window", "shown"),
    [
        (LastCalls(5), "<LastCalls 2/5: 2 failed, 1 slow>"),
        (LastSeconds(5), "<LastSeconds 5 s: 2 calls, 2 failed, 1 slow>"),
    ],
)
def test_a_cleared_window_is_a_new_one(window: LastCalls | LastSeconds, shown: str) -> None:
    """BR-05 Nothing comes back out of it later."""
    window.add(FAILED, 100.0)
    window.add(FAILED | SLOW, 100.0)
    assert repr(window) == shown
    window.clear()
    assert counts(window) == (0, 0, 0)
    for number in range(20):
        window.add(WELL, 100.0 + number)
    assert window.failures == window.slow == 0


def test_it_doesnt_grow_with_traffic() -> None:
    """BR-02 Sixty slices, however many calls."""
    window = LastSeconds(60.0)
    for number in range(100_000):
        window.add(FAILED, number / 500)
    assert counts(window) == (60 * 500, 60 * 500, 0)
    assert len(window._calls) == SLICES


def test_the_configuration_says_which_window() -> None:
    """BR-02 By calls or by time."""
    assert repr(open_window(CountWindow(7))) == repr(LastCalls(7))
    assert repr(open_window(TimeWindow(7))) == repr(LastSeconds(7))


@pytest.mark.parametrize("seconds", [0, -1, 0.0009, math.inf, math.nan])
def test_a_time_window_out_of_range_is_refused(seconds: float) -> None:
    """BR-02 With what is asked for."""
    with pytest.raises(ValueError, match=r"seconds >= 0.001"):
        TimeWindow(seconds)


def test_a_count_window_out_of_range_is_refused() -> None:
    """BR-02 With what is asked for."""
    with pytest.raises(ValueError, match="calls >= 1"):
        CountWindow(0)
