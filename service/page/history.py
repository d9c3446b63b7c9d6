"""History: what befell the tree of late, why, and what the tree did about it, in words."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from failsoft.actors import EventBus, Subscription
from failsoft.messages.events import (
    ActorFailed,
    BreakerChanged,
    ChildCooledDown,
    ChildForgotten,
    ChildRestarted,
    DegradationChanged,
    Event,
    RequestQuarantined,
    RestartCalledOff,
    RestartScheduled,
    StandbyPromoted,
    StandbyReady,
    SupervisorEscalated,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
    WorkerSpawned,
    WorkerWornOut,
)

_KEPT: Final = 100

Kind = Literal["failure", "circuit", "escalation", "poison", "load", "worker", "order"]


class Happening(msgspec.Struct):
    """Tell of one thing that happened. Times are in seconds, on the system's clock.

    number: counts from 1. path: whom it happened to; that may have no place in the tree now.
    says: what happened, and why. until: when the tree does something about it, where that is
    known. over_at: since when all is well again; None where it isn't, or there is nothing to mend.
    """

    number: int
    at: float
    path: str
    kind: Kind
    says: str
    until: float | None = None
    over_at: float | None = None


class History:
    """Hear what happens in the tree, and keep the last of it.

    All that it hears is rare: nothing happens here for an ordinary request.
    on_change: called after each change.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self.on_change: Callable[[], object] = _nothing
        self._kept: deque[Happening] = deque(maxlen=kept)
        self._told = 0
        self._failures: dict[str, Happening] = {}
        self._circuits: dict[str, Happening] = {}
        self._models: set[str] = set()
        self._events: EventBus | None = None
        self._subscription: Subscription | None = None
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            ActorFailed: self._failed,
            BreakerChanged: self._circuit_changed,
            ChildCooledDown: self._cooled_down,
            ChildForgotten: self._forgotten,
            ChildRestarted: self._restarted,
            DegradationChanged: self._load_changed,
            RequestQuarantined: self._quarantined,
            RestartCalledOff: self._called_off,
            RestartScheduled: self._scheduled,
            StandbyPromoted: self._spare_took_over,
            StandbyReady: self._over,
            SupervisorEscalated: self._escalated,
            WorkerEnded: self._worker_ended,
            WorkerHung: self._worker_hung,
            WorkerReady: self._over,
            WorkerSpawned: self._worker_spawned,
            WorkerWornOut: self._worn_out,
        }

    def __repr__(self) -> str:
        return f"<History {self._told} told, {len(self._failures)} failures not over>"

    def listen(self, events: EventBus) -> None:
        """Hear what happens on this bus from now on; a second time does nothing."""
        if events is self._events:
            return
        if self._subscription is not None:
            self._subscription.cancel()
        self._events = events
        self._subscription = events.subscribe(self.hear, *self._handlers)

    def hear(self, event: Event) -> None:
        """Take note of an event."""
        self._handlers[type(event)](event)
        self.on_change()

    def note(self, path: str, says: str, now: float) -> None:
        """Take note of what an operator did."""
        self._add(now, path, "order", says)
        self.on_change()

    def latest(self, most: int = _KEPT) -> tuple[Happening, ...]:
        """Give the last of what happened, the newest first."""
        return tuple(reversed(self._kept))[:most]

    def what_ails(self, path: str) -> Happening | None:
        """Give the failure of an actor, or its circuit's opening, that isn't over."""
        return self._failures.get(path) or self._circuits.get(path)

    # -- failures: from the first sign of one until all is well again

    def _worker_hung(self, event: WorkerHung) -> None:
        self._models.add(event.path)
        self._fails(event, f"its worker hung, and was killed: {event.reason}")

    def _worker_ended(self, event: WorkerEnded) -> None:
        self._models.add(event.path)
        if not event.asked and event.path not in self._failures:
            self._fails(event, _of_its_worker(event.reason))

    def _failed(self, event: ActorFailed) -> None:
        # What was told of its worker says why; the actor knows but that it was lost.
        if event.path not in self._failures:
            self._fails(event, event.error)

    def _scheduled(self, event: RestartScheduled) -> None:
        failure = self._failures.get(event.path) or self._fails(event, event.reason)
        failure.until = event.at + event.delay

    def _called_off(self, event: RestartCalledOff) -> None:
        for child in event.children:
            failure = self._failures.get(f"{event.path}/{child}")
            if failure is not None:
                failure.until = None

    def _cooled_down(self, event: ChildCooledDown) -> None:
        failure = self._failures.get(event.path) or self._fails(event, event.reason)
        failure.says += "; it failed too often, and is left alone for a while"
        failure.until = event.at + event.seconds

    def _restarted(self, event: ChildRestarted) -> None:
        failure = self._failures.get(event.path)
        if failure is not None:
            failure.until = None
        if event.path not in self._models:  # those have yet to load
            self._over(event)

    def _worker_spawned(self, event: WorkerSpawned) -> None:
        self._models.add(event.path)

    def _forgotten(self, event: ChildForgotten) -> None:
        self._models.discard(event.path)
        self._failures.pop(event.path, None)

    def _spare_took_over(self, event: StandbyPromoted) -> None:
        failure = self._failures.get(event.path)
        if failure is not None:
            failure.says += "; the spare took over"
            self._over(event)

    def _fails(self, event: Event, says: str) -> Happening:
        failure = self._add(event.at, event.path, "failure", says)
        self._failures[event.path] = failure
        return failure

    def _over(self, event: Event) -> None:
        failure = self._failures.pop(event.path, None)
        if failure is not None:
            failure.over_at = event.at
            failure.until = None

    # -- what else happens

    def _circuit_changed(self, event: BreakerChanged) -> None:
        path = f"{event.path}/{event.model}"
        opening = self._circuits.get(path)
        if event.after == "open":
            if opening is None:
                is_forced = event.reason.startswith("forced")
                says = f"its circuit {'is ' if is_forced else 'opened: '}{event.reason}"
                opening = self._circuits[path] = self._add(event.at, path, "circuit", says)
            opening.until = event.at + event.open_seconds if event.open_seconds else None
        elif opening is not None:
            opening.until = None
            if event.after == "closed":
                opening.over_at = event.at
                del self._circuits[path]

    def _load_changed(self, event: DegradationChanged) -> None:
        by = "an operator" if event.forced else f"a load of {event.load:.0%}"
        says = f"answers are {event.after} in place of {event.before}, by {by}"
        self._add(event.at, event.path, "load", says)

    def _quarantined(self, event: RequestQuarantined) -> None:
        says = (
            f"a request took down {event.workers_lost} workers; "
            f"its like are refused for {event.seconds:.0f} s"
        )
        self._add(event.at, event.path, "poison", says)

    def _escalated(self, event: SupervisorEscalated) -> None:
        says = f"gave up, since {event.child} failed too often: {event.reason}"
        self._add(event.at, event.path, "escalation", says)

    def _worn_out(self, event: WorkerWornOut) -> None:
        self._add(event.at, event.path, "worker", f"its worker is replaced: {event.reason}")

    def _add(self, at: float, path: str, kind: Kind, says: str) -> Happening:
        self._told += 1
        happening = Happening(self._told, at, path, kind, says)
        if len(self._kept) == self._kept.maxlen:
            self._forget(self._kept[0])
        self._kept.append(happening)
        return happening

    def _forget(self, oldest: Happening) -> None:
        for still in (self._failures, self._circuits):
            if still.get(oldest.path) is oldest:
                del still[oldest.path]


def _of_its_worker(reason: str) -> str:
    said = reason.removeprefix("it ")
    return f"its worker {said}" if said != reason else f"its worker was lost: {reason}"


def _nothing() -> None:
    pass
