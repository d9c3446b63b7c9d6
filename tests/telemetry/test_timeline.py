"""The timeline, against a list of all that was ever added."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.telemetry.label_bound import OTHER, LabelBound
from failsoft.telemetry.timeline import Timeline

SLICE = 10.0
SLICES = 12

# Waits before each key: within a slice, over some, and past the whole reach.
STEPS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 1.0, 7.5, 10.0, 35.0, 119.0, 500.0])),
    max_size=60,
)


def small(most_keys: int = 3) -> Timeline:
    return Timeline(slice_seconds=SLICE, slices=SLICES, most_keys=most_keys)


def model_count(added: list[tuple[str, float]], key: str, now: float, ago: int, width: int) -> int:
    """Count by looking at all: the ``width`` slices that end ``ago`` slices before now's."""
    last = now // SLICE - ago
    return sum(k == key and last - width < at // SLICE <= last for k, at in added)


@given(STEPS)
def test_it_counts_as_a_list_of_all_would(steps: list[tuple[str, float]]) -> None:
    """TL-07 Over any window, however long nothing came, and in the windows before."""
    timeline, added, now = small(), [], 3.0
    timeline.begin(now)
    for key, wait in steps:
        now += wait
        timeline.add(key, now)
        added.append((key, now))
        for width in (1, 3, SLICES):
            for each in "abc":
                count = timeline.count(each, width * SLICE, now)
                assert count == model_count(added, each, now, 0, width)
        lived = min(int(now // SLICE - 3.0 // SLICE), SLICES)
        past = [model_count(added, "a", now, 3 * (n + 1), 3) for n in range(max(0, lived // 3 - 1))]
        assert timeline.windows("a", 3 * SLICE, 99, now) == past
        assert sum(timeline.per_minute(now)) == sum(timeline.counts(SLICES * SLICE, now).values())


def test_the_minutes_come_oldest_first() -> None:
    """TL-07 Two minutes here, of six slices each."""
    timeline = small()
    for at in (5.0, 6.0, 65.0):
        timeline.add("a", at)
    assert timeline.per_minute(119.0) == (2, 1)
    assert timeline.per_minute(175.0) == (1, 0)


def test_the_most_seen_come_first() -> None:
    """TL-07 Of as many, in order of their names; those that weren't seen are left out."""
    timeline = small()
    for key in "bcabb":
        timeline.add(key, 0.0)
    assert list(timeline.counts(SLICE, 0.0).items()) == [("b", 3), ("a", 1), ("c", 1)]
    assert timeline.counts(SLICE, 20.0) == {}


def test_what_there_is_no_room_for_is_other_and_an_old_key_makes_room() -> None:
    """TL-07 No count is lost; the folded ones are told."""
    timeline = small(most_keys=2)
    assert [timeline.add(key, 0.0) for key in "abcd"] == ["a", "b", OTHER, OTHER]
    assert timeline.counts(SLICE, 0.0) == {OTHER: 2, "a": 1, "b": 1}
    assert timeline.statistics().folded == 2
    timeline.add("a", 115.0)
    assert timeline.keys() == ("a", "b", OTHER)
    assert timeline.add("c", 125.0) == "c"
    assert timeline.keys() == ("a", "c")


def test_its_size_is_bounded_by_construction() -> None:
    """TL-07 By keys times slices, whatever comes and however long."""
    timeline = small(most_keys=5)
    for number in range(3_000):
        timeline.add(f"key-{number}", number * 0.7)
        assert timeline.statistics().slots <= 6 * SLICES
    assert timeline.statistics().added == 3_000


def test_a_clock_that_stands_still_or_goes_back_a_little_is_no_harm() -> None:
    """TL-07 What is told late counts now."""
    timeline = small()
    timeline.add("a", 95.0)
    timeline.add("a", 80.0)
    assert timeline.count("a", SLICE, 95.0) == 2


@pytest.mark.parametrize("wrong", [{"slice_seconds": 0.0}, {"slices": 0}, {"most_keys": 0}])
def test_a_timeline_without_room_is_an_error(wrong: dict[str, float]) -> None:
    """SV-12 At once."""
    with pytest.raises(ValueError, match="at least 1"):
        Timeline(**wrong)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), st.text(max_size=300))))
def test_a_label_has_its_first_values_and_other(pairs: list[tuple[str, str]]) -> None:
    """TL-05 Each label by itself: a value that was admitted stays, and no text is too long."""
    bound, admitted = LabelBound(3), {"x": set(), "y": set()}  # type: ignore[var-annotated]
    for label, value in pairs:
        known = admitted[label]
        has_room = len(known) < 3 and len(value) <= 256
        expected = value if not value or value in known or has_room else OTHER
        assert bound.admit(label, value) == expected
        if value and expected == value:
            known.add(value)


def test_a_value_that_is_too_long_is_other() -> None:
    """TL-05 However much room there is."""
    bound = LabelBound()
    assert bound.admit("path", "x" * 256) == "x" * 256
    assert bound.admit("path", "x" * 257) == OTHER
    assert dict(bound.refused) == {"path": 1}
    assert repr(bound) == "<LabelBound path 1; at most 200 each>"


def test_a_label_without_room_is_an_error() -> None:
    """SV-12 It says what is wrong."""
    with pytest.raises(ValueError, match="at least 1 value"):
        LabelBound(0)
