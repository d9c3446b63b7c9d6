"""Flight rings: what is rare outlasts what is frequent, and all of it is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.messages.events import (
    BreakerChanged,
    Event,
    ModelLoading,
    ModelStateChanged,
    RequestFinished,
    WorkerHung,
)
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.telemetry import FlightRings
from failsoft.telemetry.flight_rings import in_order


def finished(path: str, at: float, outcome: str) -> RequestFinished:
    fields: dict[str, Any] = dict.fromkeys(RequestFinished.__struct_fields__)
    return RequestFinished(**{**fields, "path": path, "at": at, "outcome": outcome})


def moved(path: str, at: float, before: str, after: str) -> ModelStateChanged:
    return ModelStateChanged(path=path, at=at, before=before, after=after)


def test_what_is_rare_is_not_pushed_out_by_what_is_frequent() -> None:
    """TL-07 Neither by another type, nor by another outcome or state of the same type."""
    rings = FlightRings(kept=4)
    rare = [
        moved("m", 0.0, "warming", "ready"),
        WorkerHung(path="m", at=1.0, pid=7, reason="stuck"),
        finished("m", 2.0, "out_of_memory"),
    ]
    for event in rare:
        rings.add(event)
    for n in range(1000):
        rings.add(finished("m", 3.0 + n, "ok"))
        rings.add(ModelLoading(path="m", at=3.0 + n, done_bytes=n, total_bytes=1000))
        rings.add(moved("m", 3.0 + n, "ready", "busy"))
        rings.add(moved("m", 3.0 + n, "busy", "ready"))
    events = in_order(rings.entries())
    assert events[:3] == rare
    assert len(events) == 3 + 4 * 4
    assert rings.dropped() == {
        "ModelStateChanged": 1992,
        "RequestFinished": 996,
        "ModelLoading": 996,
    }


def test_events_come_out_in_the_order_in_which_they_happened() -> None:
    """TL-07 Of all paths and kinds, at one time too."""
    rings = FlightRings()
    events: list[Event] = [
        moved("a", 1.0, "loading", "ready"),
        WorkerHung(path="b", at=1.0, pid=1, reason=""),
        moved("b", 1.0, "ready", "busy"),
        WorkerHung(path="a", at=1.0, pid=2, reason=""),
    ]
    for event in events:
        rings.add(event)
    assert in_order(rings.entries()) == events


def test_the_path_that_was_quiet_for_longest_makes_room() -> None:
    """TL-07 A dynamic supervisor may have any number of children in turn."""
    rings = FlightRings(most_paths=2)
    for path in ("a", "b", "a", "c"):
        rings.add(WorkerHung(path=path, at=0.0, pid=1, reason=""))
    assert [event.path for event in in_order(rings.entries())] == ["a", "a", "c"]
    assert rings.dropped() == {"WorkerHung": 1}
    counts = rings.statistics()
    assert (counts.paths, counts.seen, counts.kept, counts.forgotten) == (2, 4, 3, 1)


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["ok", "x", "y"])), max_size=300)
)
def test_it_keeps_so_many_at_most_and_counts_the_rest(made: list[tuple[str, str]]) -> None:
    """TL-07 Whatever comes: what is kept and what was dropped are all that was seen."""
    rings = FlightRings(kept=3, most_paths=4)
    for at, (path, outcome) in enumerate(made):
        rings.add(finished(path, float(at), outcome))
    events = in_order(rings.entries())
    assert len(events) <= 3 * 3 * 4
    assert len(events) + sum(rings.dropped().values()) == rings.statistics().seen == len(made)
    assert [event.at for event in events] == sorted(event.at for event in events)
    if made:
        assert events[-1].at == len(made) - 1


def test_outcomes_without_bound_share_a_ring() -> None:
    """TL-07 Somebody's own events may hold anything."""
    rings = FlightRings(kept=2)
    for n in range(500):
        rings.add(finished("a", float(n), f"outcome {n}"))
    assert rings.statistics().kept <= 2 * 65


def test_a_circuit_that_flaps_keeps_its_other_changes() -> None:
    """TL-07 They are told apart by what was before and what is after."""
    rings = FlightRings(kept=2)
    for n, (before, after) in enumerate([("closed", "open"), *[("open", "half_open")] * 9]):
        fields: dict[str, Any] = {"model": "m", "reason": "", "open_seconds": 1.0}
        rings.add(BreakerChanged(path="r", at=float(n), before=before, after=after, **fields))
    assert [event.at for event in in_order(rings.entries())] == [0.0, 8.0, 9.0]


def test_a_ring_must_hold_something() -> None:
    """SV-12 Before anything is recorded."""
    with pytest.raises(ValueError, match="at least 1"):
        FlightRings(kept=0)


def test_answers_over_http_are_told_apart_by_what_went_wrong() -> None:
    """TL-07 A stream that broke off isn't pushed out by those that went well after the same 200."""
    rings = FlightRings(kept=2)
    rare = [answered(0.0, 503, "model_overloaded"), answered(1.0, 200, "client_gone")]
    for event in (*rare, *(answered(2.0 + n, 200, "") for n in range(9))):
        rings.add(event)
    assert [event.at for event in in_order(rings.entries())] == [0.0, 1.0, 9.0, 10.0]


def answered(at: float, status: int, error_type: str) -> HttpRequestFinished:
    fields: dict[str, Any] = {"method": "POST", "scheme": "http", "route": "/generate"}
    outcome: dict[str, Any] = {"status": status, "error_type": error_type}
    known = {**fields, **outcome, "correlation_id": None}
    return HttpRequestFinished(path="http", at=at, seconds=0.1, **known)
