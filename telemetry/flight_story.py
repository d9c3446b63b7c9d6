"""The story of a recording: lines in the order of time, outages, and what they come to. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from failsoft.messages.events import (
    ActorFailed,
    BreakerChanged,
    ChildForgotten,
    ChildRestarted,
    Event,
    ModelStateChanged,
    RequestFinished,
    RestartScheduled,
    StandbyPromoted,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
)
from failsoft.telemetry.alerting.alert import plain_text
from failsoft.telemetry.flight_file import Flight
from failsoft.telemetry.flight_words import Tone, in_words

OutageKind = Literal["worker", "actor", "circuit"]


class Line(msgspec.Struct, frozen=True):
    """Tell one thing, or the like of it ``count`` times: from ``at`` to ``until``.

    Times are in seconds from the story's begin. outages: how many were open then.
    """

    at: float
    until: float
    path: str
    words: str
    tone: Tone
    count: int
    outages: int


class Outage(msgspec.Struct, frozen=True):
    """Tell from when to when something was out; None: it still was at the end.

    worker: from a worker's loss until its model is ready again. actor: from an actor's failure
    until it is up again. circuit: from open to closed.
    """

    kind: OutageKind
    path: str
    cause: str
    began: float
    ended: float | None


class Restarts(msgspec.Struct, frozen=True):
    """Count the restarts of a path, and what was the reason how often."""

    path: str
    count: int
    causes: dict[str, int]


class Story(msgspec.Struct, frozen=True):
    """Tell how it went. seconds: from the first event to when it was written.

    outcomes: of the requests that are in the recording; in_outages: of those that ended while
    something was out; fallbacks: answers among these by another than the first model.
    out_seconds: for how long something was out.
    """

    seconds: float
    lines: tuple[Line, ...]
    outages: tuple[Outage, ...]
    restarts: tuple[Restarts, ...]
    outcomes: dict[str, int]
    in_outages: dict[str, int]
    fallbacks: int
    out_seconds: float


def story_of(flight: Flight) -> Story:
    """Make the story of a recording."""
    events = flight.events
    began = events[0].at if events else flight.header.at
    outages = _Outages(began)
    lines = _Lines(began)
    requests: list[tuple[RequestFinished, bool]] = []
    for event in events:
        before = outages.open
        outages.hear(event)
        lines.add(event, max(before, outages.open))
        if isinstance(event, RequestFinished):
            requests.append((event, before > 0))
    seconds = flight.header.at - began
    during = [event for event, is_in_outage in requests if is_in_outage]
    return Story(
        seconds=seconds,
        lines=lines.all(),
        outages=outages.all(),
        restarts=_restarts(events),
        outcomes=_outcomes([event for event, _ in requests]),
        in_outages=_outcomes(during),
        fallbacks=sum(event.was_fallback for event in during if event.outcome == "ok"),
        out_seconds=_covered(outages.all(), seconds),
    )


class _Lines:
    """Say each event in words; what comes again before anything notable does is one line."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._lines: list[Line] = []
        self._known: dict[tuple[str, str, int], int] = {}

    def add(self, event: Event, outages: int) -> None:
        words, tone = in_words(event)
        at = event.at - self._began
        key = (event.path, words, outages)
        index = self._known.get(key)
        if index is not None:
            line = self._lines[index]
            again = msgspec.structs.replace(line, until=at, count=line.count + 1)
            self._lines[index] = again
            return
        if tone in ("bad", "good"):
            self._known.clear()
        self._known[key] = len(self._lines)
        self._lines.append(
            Line(at, at, plain_text(event.path, 200), words, tone, count=1, outages=outages)
        )

    def all(self) -> tuple[Line, ...]:
        return tuple(self._lines)


class _Outages:
    """Follow what is out."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._all: list[Outage] = []
        self._open: dict[tuple[OutageKind, str], int] = {}
        # path -> pid of the worker that answers there; any other is a spare.
        self._serving: dict[str, int] = {}

    @property
    def open(self) -> int:
        return len(self._open)

    def all(self) -> tuple[Outage, ...]:
        return tuple(self._all)

    def hear(self, event: Event) -> None:
        path = event.path
        match event:
            case WorkerReady(pid=pid) | StandbyPromoted(pid=pid):
                self._serving[path] = pid
                self._end("worker", path, event.at)
            case WorkerHung(pid=pid) | WorkerEnded(pid=pid) if self._is_spare(path, pid):
                pass
            case WorkerHung(reason=reason):
                self._begin("worker", path, f"it hung: {reason}", event.at)
            case WorkerEnded(asked=asked, reason=reason):
                self._serving.pop(path, None)
                if not asked:
                    self._begin("worker", path, reason, event.at)
            case ModelStateChanged(after="ready" | "busy"):
                self._end("worker", path, event.at)
            case ActorFailed(error=error):
                self._begin("actor", path, error, event.at)
            case RestartScheduled(reason=reason):
                self._begin("actor", path, reason, event.at)
            case ChildRestarted():
                self._end("actor", path, event.at)
            case BreakerChanged(model=model, after="open", reason=reason):
                self._begin("circuit", f"{path}/{model}", reason, event.at)
            case BreakerChanged(model=model, after="closed"):
                self._end("circuit", f"{path}/{model}", event.at)
            case ChildForgotten():
                self._end("worker", path, event.at)
                self._end("actor", path, event.at)
                self._end("circuit", path, event.at)
            case _:
                pass

    def _is_spare(self, path: str, pid: int) -> bool:
        return self._serving.get(path, pid) != pid

    def _begin(self, kind: OutageKind, path: str, cause: str, at: float) -> None:
        if (kind, path) not in self._open:
            self._open[kind, path] = len(self._all)
            said = plain_text(cause, 200)
            self._all.append(Outage(kind, plain_text(path, 200), said, at - self._began, None))

    def _end(self, kind: OutageKind, path: str, at: float) -> None:
        index = self._open.pop((kind, path), None)
        if index is not None:
            self._all[index] = msgspec.structs.replace(self._all[index], ended=at - self._began)


def _restarts(events: Sequence[Event]) -> tuple[Restarts, ...]:
    counts: Counter[str] = Counter()
    causes: dict[str, Counter[str]] = {}
    for event in events:
        if isinstance(event, ChildRestarted):
            counts[event.path] += 1
        elif isinstance(event, RestartScheduled):
            cause = plain_text(event.reason, 200)
            causes.setdefault(event.path, Counter())[cause] += 1
    return tuple(
        Restarts(plain_text(path, 200), counts[path], dict(causes.get(path, Counter())))
        for path in sorted(counts.keys() | causes.keys(), key=lambda path: (-counts[path], path))
    )


def _outcomes(events: Sequence[RequestFinished]) -> dict[str, int]:
    return dict(Counter(event.outcome for event in events).most_common())


def _covered(outages: Sequence[Outage], seconds: float) -> float:
    """Add up the time in which at least one was out; what overlaps counts once."""
    total, reach = 0.0, 0.0
    for outage in sorted(outages, key=lambda outage: outage.began):
        ended = seconds if outage.ended is None else outage.ended
        total += max(0.0, ended - max(reach, outage.began))
        reach = max(reach, ended)
    return total
