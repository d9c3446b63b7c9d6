"""The story of a recording: what is told, what was out, and what became of the requests."""

from __future__ import annotations

from typing import Any

import pytest

from failsoft.messages.events import (
    ActorFailed,
    BreakerChanged,
    ChildForgotten,
    ChildRestarted,
    Event,
    FellBack,
    ModelLoading,
    ModelStateChanged,
    RequestFinished,
    RestartScheduled,
    StandbyPromoted,
    StandbyReady,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
)
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.telemetry import Flight, FlightHeader, Story, UnknownEvent, story_of
from failsoft.telemetry.flight_story import Outage, Restarts
from failsoft.telemetry.flight_words import in_words

from .all_events import one_of_each

ROUTER, PRIMARY = "root/text", "root/text/primary"


def at(when: float, kind: type[Event], path: str = PRIMARY, /, **fields: Any) -> Event:
    """Make an event, ``when`` seconds after the recording's first; fields are empty by default."""
    empty = dict.fromkeys(kind.__struct_fields__)
    return kind(**{**empty, **fields, "path": path, "at": 100.0 + when})


def done(seconds: float, outcome: str = "ok", model: str = "primary", **fields: Any) -> Event:
    return at(seconds, RequestFinished, ROUTER, outcome=outcome, model_used=model, **fields)


def told(*events: Event, seconds: float = 60.0) -> Story:
    header = FlightHeader(
        reason="", began=100.0, at=100.0 + seconds, written=1.8e9, seen=0, dropped={}
    )
    return story_of(Flight(header, events))


OUTAGE = (
    done(0, was_fallback=False),
    done(1, was_fallback=False),
    at(2, WorkerHung, pid=7, reason="no step for 60 s"),
    at(2, WorkerEnded, pid=7, reason="no step for 60 s", asked=False),
    at(2, ActorFailed, error="WorkerLost: it was lost"),
    at(2, FellBack, ROUTER, model="primary", cause="worker_lost"),
    at(2, FellBack, ROUTER, model="primary", cause="worker_lost"),
    at(2, RestartScheduled, delay=1.5, reason="WorkerLost: it was lost"),
    at(2.125, BreakerChanged, ROUTER, model="primary", after="open", reason="5 failures in a row"),
    done(3, model="understudy", was_fallback=True),
    done(3.5, "out_of_memory", ""),
    at(3.5, ChildRestarted, restarts=1),
    at(4, ModelLoading, done_bytes=1, total_bytes=2),
    at(6, WorkerReady, pid=8, seconds=2.5),
    at(10, BreakerChanged, ROUTER, model="primary", after="closed", reason="a probe went well"),
    done(11, was_fallback=False),
)


def test_what_was_out_is_told_from_when_to_when() -> None:
    """TL-07 A worker, its actor and the circuit in front of it, each with its cause."""
    assert told(*OUTAGE).outages == (
        Outage("worker", PRIMARY, "it hung: no step for 60 s", 2.0, 6.0),
        Outage("actor", PRIMARY, "WorkerLost: it was lost", 2.0, 3.5),
        Outage("circuit", PRIMARY, "5 failures in a row", 2.125, 10.0),
    )


def test_time_that_was_out_counts_once() -> None:
    """TL-07 However many things were, at the same time."""
    assert told(*OUTAGE).out_seconds == 8.0


def test_restarts_are_counted_by_path_and_cause() -> None:
    """TL-07 The most restarted first; what was taken along has no cause of its own."""
    again = [
        at(20, RestartScheduled, delay=1.0, reason="OSError: no"),
        at(21, ChildRestarted, restarts=2),
        at(21, ChildRestarted, "root/image", restarts=1),
    ]
    assert told(*OUTAGE, *again).restarts == (
        Restarts(PRIMARY, 2, {"WorkerLost: it was lost": 1, "OSError: no": 1}),
        Restarts("root/image", 1, {}),
    )


def test_requests_are_counted_by_outcome_and_those_of_the_outage_apart() -> None:
    """TL-07 And how many of these a fallback answered."""
    story = told(*OUTAGE)
    assert story.outcomes == {"ok": 4, "out_of_memory": 1}
    assert story.in_outages == {"ok": 1, "out_of_memory": 1}
    assert story.fallbacks == 1


def test_lines_tell_it_in_order_and_say_the_same_once() -> None:
    """TL-07 With how often, until when, and whether something was out."""
    lines = told(*OUTAGE).lines
    assert [(line.at, line.words, line.count, line.outages > 0) for line in lines[:5]] == [
        (0.0, "a request was answered by primary", 2, False),
        (2.0, "its worker 7 hung and was killed: no step for 60 s", 1, True),
        (2.0, "lost its worker 7: no step for 60 s", 1, True),
        (2.0, "failed: WorkerLost: it was lost", 1, True),
        (2.0, "went past primary (worker_lost)", 2, True),
    ]
    assert lines[0].until == 1.0
    assert [line.outages for line in lines if line.at in (6.0, 10.0, 11.0)] == [2, 1, 0]
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert [line.words for line in lines if line.tone == "routine"] == ["has read 0 of 0 MiB"]


def test_what_is_not_over_by_the_end_is_still_out() -> None:
    """TL-07 Its time runs until the recording was written."""
    story = told(at(0, ActorFailed, error="no"), seconds=30.0)
    assert story.outages == (Outage("actor", PRIMARY, "no", 0.0, None),)
    assert story.out_seconds == 30.0


@pytest.mark.parametrize(
    "end",
    [
        at(5, StandbyPromoted, pid=9),
        at(5, ModelStateChanged, before="warming", after="ready"),
        at(5, ChildForgotten, reason="shutdown"),
    ],
)
def test_a_lost_worker_is_made_good_by(end: Event) -> None:
    """TL-07 A spare, another one's load, or that nobody wants the model any more."""
    lost = at(1, WorkerEnded, pid=7, reason="SIGKILL", asked=False)
    (outage,) = told(at(0, ActorFailed, "x", error=""), lost, end).outages[1:]
    assert (outage.kind, outage.began, outage.ended) == ("worker", 1.0, 5.0)


def test_a_spare_that_is_lost_is_no_outage() -> None:
    """TL-07 Ready, loading or hung: the one that serves goes on. Nor is one that was stopped."""
    events = (
        at(0, WorkerReady, pid=7, seconds=1.0),
        at(1, StandbyReady, pid=9, seconds=1.0),
        at(2, WorkerEnded, pid=9, reason="SIGKILL", asked=False),
        at(3, WorkerEnded, pid=10, reason="SIGKILL", asked=False),
        at(4, WorkerHung, pid=11, reason="no step"),
        at(5, WorkerEnded, pid=7, reason="stopped", asked=True),
    )
    assert told(*events).outages == ()


def test_a_spare_that_has_taken_over_is_an_outage_when_it_is_lost() -> None:
    """TL-07 And so is the next worker, whichever way it came."""
    events = (
        at(0, WorkerReady, pid=7, seconds=1.0),
        at(1, StandbyPromoted, pid=9),
        at(2, WorkerEnded, pid=7, reason="worn", asked=True),
        at(3, WorkerEnded, pid=9, reason="SIGKILL", asked=False),
        at(4, WorkerReady, pid=10, seconds=1.0),
        at(5, WorkerHung, pid=10, reason="no step"),
    )
    assert [outage.began for outage in told(*events).outages] == [3.0, 5.0]


def test_a_recording_without_events_has_a_story_too() -> None:
    """TL-07 A short one."""
    story = told()
    assert (story.lines, story.seconds) == ((), 0.0)


@pytest.mark.parametrize("event", one_of_each(), ids=lambda event: type(event).__name__)
def test_each_kind_of_event_has_words_of_its_own(event: Event) -> None:
    """TL-07 But those for spans, which only traces are made of."""
    words, _ = in_words(event)
    if type(event).__module__.endswith("trace_events"):
        assert words == type(event).__name__
    else:
        assert type(event).__name__ not in words


def test_words_are_one_printable_line() -> None:
    """TL-09 A reason may hold anything: it can't draw on the reader's terminal."""
    words, _ = in_words(at(0, ActorFailed, error="bad\x1b[2J\nworse" + "x" * 5000))
    assert words.isprintable()
    assert len(words) == 200


def test_an_event_of_somebodys_own_is_shown_with_its_fields() -> None:
    """TL-07 As routine."""
    event = UnknownEvent(path="a", at=0.0, name="Painted", fields={"colour": "red"})
    assert in_words(event) == ("Painted {'colour': 'red'}", "routine")


@pytest.mark.parametrize(
    ("route", "status", "error_type", "words"),
    [
        ("/generate", 200, "", "POST /generate was answered with 200"),
        ("", 404, "", "POST of no endpoint was answered with 404"),
        ("/generate", 200, "client_gone", "POST /generate broke off after 200: client_gone"),
        ("/generate", 0, "client_gone", "POST /generate had no answer: client_gone"),
    ],
)
def test_an_answer_over_http_is_told_with_what_became_of_it(
    route: str, status: int, error_type: str, words: str
) -> None:
    """TL-07 A status alone would call a stream that broke off a good one."""
    fields = {"method": "POST", "scheme": "http", "seconds": 0.1, "correlation_id": None}
    known = {"route": route, "status": status, "error_type": error_type}
    assert in_words(at(0, HttpRequestFinished, "http", **known, **fields))[0] == words
