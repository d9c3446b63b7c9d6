"""What can be said of a breaker, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.supervisors.routing.breaker import Breaker, CountWindow


@given(st.floats(0.001, 1e6), st.floats(1, 1e6), st.floats(1, 1e6), st.integers(1, 10_000))
def test_open_times_grow_up_to_the_longest(
    first: float, growth: float, times: float, trip: int
) -> None:
    """BR-05 However often it opens, without overflow."""
    breaker = Breaker(open_seconds=first, growth=growth, longest_open=first * times)
    assert breaker.open_for(1) == first
    assert breaker.open_for(trip) <= breaker.open_for(trip + 1) <= first * times


@pytest.mark.parametrize(("percent", "calls"), [(7, 100), (10, 30), (29, 100), (57, 100)])
def test_a_rate_is_met_exactly_whatever_its_digits(percent: int, calls: int) -> None:
    """BR-02 7 of 100 is 7 %, though 0.07 * 100 is more than 7 for a computer."""
    breaker = Breaker(failure_rate=percent / 100, slow_rate=percent / 100)
    enough = percent * calls // 100
    assert breaker.reason_to_open(0, calls, enough - 1, enough - 1) is None
    assert breaker.reason_to_open(0, calls, enough, 0) == f"{enough} of {calls} calls failed"
    slow = f"{enough} of {calls} calls took longer than 60 s"
    assert breaker.reason_to_open(0, calls, 0, enough) == slow


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"consecutive_failures": 0}, "consecutive_failures >= 1, or None"),
        ({"failure_rate": 0.0}, "0 < failure_rate <= 1, or None"),
        ({"failure_rate": 1.1}, "0 < failure_rate <= 1"),
        ({"failure_rate": math.nan}, "0 < failure_rate <= 1"),
        ({"slow_rate": -0.1}, "0 < slow_rate <= 1"),
        ({"slow_seconds": 0.0}, "slow_seconds > 0"),
        ({"minimum_calls": 0}, "minimum_calls >= 1"),
        ({"probes": 0}, "probes >= 1"),
        ({"open_seconds": 0.0}, "open_seconds > 0"),
        ({"open_seconds": 601.0}, "longest_open >= open_seconds"),
        ({"longest_open": math.inf}, "longest_open > 0 s, finite"),
        ({"growth": 0.9}, "growth >= 1"),
        ({"growth": math.nan}, "growth >= 1"),
        ({"probe_seconds": math.nan}, "probe_seconds > 0"),
        ({"window": CountWindow(9)}, "never holds minimum_calls"),
    ],
)
def test_a_breaker_out_of_range_is_refused(wrong: dict[str, Any], words: str) -> None:
    """BR-02 With what is asked for."""
    with pytest.raises(ValueError, match=words):
        Breaker(**wrong)


def test_a_breaker_can_be_read_from_a_file() -> None:
    """BR-02 The window by its type; what is wrong is told there, too."""
    written = {"failure_rate": 0.3, "window": {"type": "count", "calls": 50}}
    assert msgspec.convert(written, Breaker) == Breaker(failure_rate=0.3, window=CountWindow(50))
    written["window"] = {"type": "time", "seconds": 0}
    with pytest.raises(msgspec.ValidationError, match=r"seconds >= 0.001.*window"):
        msgspec.convert(written, Breaker)
