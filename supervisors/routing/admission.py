"""Admission: how many requests a model works on at once, who waits, and who is refused at once."""

from __future__ import annotations

import math
from typing import Any, Generic, Literal, Self, TypeAlias

import msgspec

from failsoft.supervisors.routing.fair_queue import FairQueue, T, Ticket
from failsoft.supervisors.routing.limit import QUICK, AdaptiveLimit, Limit, LimitStatistics

__all__ = [
    "ADMITTED",
    "QUEUED",
    "Admission",
    "Admitted",
    "Entry",
    "Line",
    "LineStatistics",
    "Queued",
    "Refused",
    "Ticket",
]

# The share of the newest sample in the usual time and the usual work.
_NEWEST = 0.1
_RETRY_AT_LEAST = 1.0
_RETRY_AT_MOST = 60.0


class Admission(msgspec.Struct, frozen=True):
    """Say who may wait in front of a model, and how many requests it gets at a time.

    queue_limit: requests that wait, at most; 0 has nobody wait.
    limit: requests in work at once.
    ageing: seconds of waiting that lift a request by one priority, so that low priorities
        aren't starved by high ones.
    margin: how many times the usual time of an answer must be left of the deadline after the
        expected wait. Without any, those would be begun under overload whose time is nearly up,
        and the model would work for nobody. 0 lets the wait alone decide.
    """

    queue_limit: int = 256
    limit: Limit = Limit()
    ageing: float = 10.0
    margin: float = 2.0

    def __post_init__(self) -> None:
        if self.queue_limit < 0 or not 0 < self.ageing < math.inf:
            raise ValueError("an admission needs queue_limit >= 0 and ageing > 0 s, and finite")
        if not 0 <= self.margin < math.inf:
            raise ValueError("an admission needs margin >= 0, and finite")

    def beginning_at(self, at_once: int | None) -> Self:
        """Give it with a limit that begins at so many, where it may, and begins at less."""
        limit = self.limit
        initial = min(at_once or 0, limit.most)
        if initial <= limit.initial:
            return self
        return msgspec.structs.replace(self, limit=msgspec.structs.replace(limit, initial=initial))


class Admitted(msgspec.Struct, frozen=True):
    """Tell that a slot was taken for the request: it is to be sent now."""


class Queued(msgspec.Struct, Generic[T], frozen=True):
    """Tell that the request waits. ``evicted`` lost its place to it, and is to be answered."""

    evicted: T | None = None


class Refused(msgspec.Struct, frozen=True):
    """Tell that the request can't be taken, and when to try again (seconds).

    queue_full: as many wait as may, and none of them for less reason. deadline: it has passed, or
    would before the answer.
    """

    reason: Literal["queue_full", "deadline"]
    retry_after: float


Entry: TypeAlias = Admitted | Queued[T] | Refused

ADMITTED = Admitted()
QUEUED: Queued[Any] = Queued()


class LineStatistics(msgspec.Struct, frozen=True):
    """Count what became of the requests of a line.

    started: at once or from the queue. usual_seconds: 0.0 before the first sample.
    """

    in_flight: int
    waiting: int
    is_paused: bool
    started: int
    queue_full: int
    late: int
    evicted: int
    withdrawn: int
    drained: int
    usual_seconds: float
    limit: LimitStatistics


class Line(Generic[T]):
    """Stand in front of one model: give out its slots, and have requests wait for them in turn.

    Whoever calls ``release`` or ``resume`` takes the next ones out by ``next`` until that gives
    None. ``now`` is in seconds, and never less than in the call before.
    """

    __slots__ = (
        "_admission",
        "_counts",
        "_in_flight",
        "_limit",
        "_paused",
        "_queue",
        "_seconds",
        "_started",
        "_waiting",
        "_work",
    )

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._limit = AdaptiveLimit(admission.limit)
        self._queue: FairQueue[T] = FairQueue(admission.ageing)
        self._waiting = self._queue.places
        self._in_flight = 0
        self._paused = False
        self._seconds: float | None = None
        self._work: float | None = None
        self._started = 0
        self._counts = {"queue_full": 0, "late": 0, "evicted": 0, "withdrawn": 0, "drained": 0}

    # -- requests

    def takes(self, ticket: T, now: float) -> bool:
        """Take a slot for the request, where there is one at once; tell whether there was."""
        if (
            self._in_flight >= self._limit.value
            or self._paused
            or self._waiting
            or ticket.deadline <= now
        ):
            return False
        self._in_flight += 1
        self._started += 1
        return True

    def enter(self, ticket: T, now: float) -> Entry[T]:
        """Take a slot for the request, or have it wait, or refuse it.

        Raises ValueError where it waits already.
        """
        if self.takes(ticket, now):
            return ADMITTED
        wait = self._wait(ticket.priority, ticket.tenant, now)
        if self._is_too_late(ticket.deadline, wait, now):
            self._counts["late"] += 1
            return Refused("deadline", _retry_after(wait))
        evicted = None
        if len(self._queue) >= self._admission.queue_limit:
            evicted = self._queue.to_shed_for(ticket, self._admission.queue_limit, now)
            if evicted is None:
                self._counts["queue_full"] += 1
                return Refused("queue_full", _retry_after(wait))
        self._queue.add(ticket, now)
        if evicted is None:
            return QUEUED
        self._queue.remove(evicted)
        self._counts["evicted"] += 1
        return Queued(evicted)

    def next(self, now: float) -> T | None:
        """Take a slot for the first of those who wait; None where there is none of either."""
        if self._paused or self._in_flight >= self._limit.value:
            return None
        ticket = self._queue.pop()
        if ticket is not None:
            self._in_flight += 1
            self._started += 1
        return ticket

    def leave(self, ticket: T) -> bool:
        """Have a request wait no longer; tell whether it did."""
        was_waiting = self._queue.remove(ticket)
        self._counts["withdrawn"] += was_waiting
        return was_waiting

    def release(self, now: float, seconds: float | None, work: float | None = None) -> None:
        """Give a slot back. Raises RuntimeError where none is taken.

        seconds: how long the work took; None where that tells nothing of the model (it failed,
            or was cancelled).
        work: how much it was (tokens, or 1.0 always), so that long answers don't look like a slow
            model. None where its deadline cut it short: it would have taken longer, so it counts
            where it took longer than usual, and only there. A model that answers nobody in time
            must not look like one without requests, nor like a quick one.
        """
        in_flight = self._in_flight
        if not in_flight:
            raise RuntimeError("no slot is taken; release each one once")
        self._in_flight = in_flight - 1
        if seconds is None:
            return
        usual, usual_work = self._seconds, self._work
        if work is None:
            if usual is None or seconds < usual:
                return
            work = usual_work or 1.0
        self._seconds = seconds if usual is None else usual + _NEWEST * (seconds - usual)
        self._work = work if usual_work is None else usual_work + _NEWEST * (work - usual_work)
        self._limit.sample(max(seconds, QUICK) / work, in_flight)

    def pause(self) -> None:
        """Give out no slots: the model can't take work. Those who come, wait."""
        self._paused = True

    def resume(self) -> None:
        """Give out slots again."""
        self._paused = False

    def drain(self, now: float) -> list[T]:
        """Take out all who wait, in order."""
        tickets = []
        while (ticket := self._queue.pop()) is not None:
            tickets.append(ticket)
        self._counts["drained"] += len(tickets)
        return tickets

    # -- what to expect

    def expected_wait(self, now: float, priority: int = 0, tenant: str = "") -> float | None:
        """Give the seconds that a request would wait which came now.

        0.0 where a slot is free, None where that isn't known: nothing was measured yet, or the
        model is paused.
        """
        if self.has_room:
            return 0.0
        return None if self._paused else self._wait(priority, tenant, now)

    def retry_after(self, now: float, priority: int = 0, tenant: str = "") -> float:
        """Give the seconds after which those refused now may try again: 1 to 60."""
        return _retry_after(self._wait(priority, tenant, now))

    def _wait(self, priority: int, tenant: str, now: float) -> float | None:
        """Give the seconds until all ahead have begun and a slot is free, if work goes on."""
        if self._seconds is None:
            return None
        limit = self._limit.value
        ahead = self._queue.ahead_of(priority, tenant, now)
        slots_to_wait_for = max(0, ahead + 1 + self._in_flight - limit)
        return slots_to_wait_for * self._seconds / limit

    def _is_too_late(self, deadline: float, wait: float | None, now: float) -> bool:
        """Tell whether the deadline has passed, or will have before the answer, as things go."""
        if deadline <= now:
            return True
        if not wait:  # unknown; or it waits for nobody but the model, and is in no one's way
            return False
        return now + wait + self._admission.margin * self.usual_seconds > deadline

    # -- how it stands

    @property
    def has_room(self) -> bool:
        """Tell whether one that came now would be admitted at once."""
        return self._in_flight < self._limit.value and not self._paused and not self._waiting

    @property
    def in_flight(self) -> int:
        """Give how many slots are taken."""
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Give how many requests wait."""
        return len(self._queue)

    @property
    def limit(self) -> int:
        """Give how many slots there are now."""
        return self._limit.value

    @property
    def usual_seconds(self) -> float:
        """Give how long the work takes of late; 0.0 where nothing was measured yet."""
        return self._seconds or 0.0

    def statistics(self) -> LineStatistics:
        """Give the counts, and how the line stands now."""
        return LineStatistics(
            in_flight=self._in_flight,
            waiting=len(self._queue),
            is_paused=self._paused,
            started=self._started,
            usual_seconds=self.usual_seconds,
            limit=self._limit.statistics(),
            **self._counts,
        )

    def __repr__(self) -> str:
        paused = " paused" if self._paused else ""
        waiting = f"{len(self._queue)}/{self._admission.queue_limit}"
        return f"<Line in_flight={self._in_flight}/{self.limit} waiting={waiting}{paused}>"


def _retry_after(wait: float | None) -> float:
    return min(_RETRY_AT_MOST, max(_RETRY_AT_LEAST, wait or 0.0))
