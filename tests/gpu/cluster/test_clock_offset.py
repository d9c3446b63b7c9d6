"""What is known of another machine's clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from failsoft.gpu.cluster.clock_offset import ClockOffset

offsets = st.floats(-1e7, 1e7)
# How long a beat was under way to the other machine, and its answer back.
ways = st.tuples(st.floats(0.0001, 5.0), st.floats(0.0001, 5.0))


def hear(clock: ClockOffset, now: float, offset: float, there: float, back: float) -> float:
    """Have a beat be answered; give when that was heard."""
    clock.observe(now, now + there + offset, now + there + back)
    return now + there + back


def test_nothing_is_known_before_anything_was_heard() -> None:
    """And how far off that may be is without bound."""
    clock = ClockOffset()
    assert (clock.is_known, clock.seconds, clock.uncertainty) == (False, 0.0, math.inf)
    assert clock.least == 0.0


@settings(max_examples=40)
@given(offsets, st.lists(ways, min_size=1, max_size=200))
def test_the_offset_is_as_near_as_it_says(offset: float, heard: list[tuple[float, float]]) -> None:
    """However unevenly the ways there and back take their time."""
    clock, now = ClockOffset(), 1_000.0
    for there, back in heard:
        now = hear(clock, now, offset, there, back)
        assert abs(clock.seconds - offset) <= clock.uncertainty + 1e-6
        assert clock.least <= offset + 1e-6
    assert clock.is_known is (len(heard) >= 8)
    quickest = min(there + back for there, back in heard[-64:])
    assert clock.uncertainty == pytest.approx(quickest / 2, abs=1e-6)


@settings(max_examples=40)
@given(st.floats(-0.0001, 0.0001), st.lists(ways, min_size=64, max_size=200))
def test_a_clock_that_drifts_is_followed(drift: float, heard: list[tuple[float, float]]) -> None:
    """100 µs a second is far more than any machine's; what was known isn't forgotten for that."""
    clock, now, offset = ClockOffset(), 0.0, 50.0
    for there, back in heard:
        now = hear(clock, now, offset + drift * now, there, back) + 1.0
    off = abs(clock.seconds - (offset + drift * now))
    assert off <= clock.uncertainty + 64 * 11 * abs(drift) + 1e-6


@pytest.mark.parametrize("asleep", [5.0, -5.0, 3_600.0])
def test_a_machine_that_was_suspended_is_seen_at_the_next_answer(asleep: float) -> None:
    """Its clock stood still, or this one's did: the quick answers of before are worth nothing."""
    clock, now = ClockOffset(), 0.0
    for _ in range(10):
        now = hear(clock, now, 100.0, 0.001, 0.001) + 1.0
    hear(clock, now, 100.0 + asleep, 0.2, 0.3)
    assert clock.seconds == pytest.approx(100.0 + asleep, abs=0.25)
    assert repr(clock) == f"<ClockOffset {clock.seconds:.6f} s, to 0.250000 s>"
