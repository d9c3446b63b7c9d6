"""The errors actor: hears what went wrong, and tells of it when it is asked, or when it spikes."""

from __future__ import annotations

from collections import deque
from typing import Final

from failsoft.actors import handles
from failsoft.messages import Request, WorkerLost
from failsoft.messages.events import (
    ActorFailed,
    Event,
    RequestFinished,
    SubscriberDropped,
    SupervisorEscalated,
    WorkerEnded,
    WorkerHung,
)
from failsoft.telemetry.error_log import ErrorLog, ErrorRecord, ErrorReport
from failsoft.telemetry.events import ErrorSpiked, ErrorSpikeEnded
from failsoft.telemetry.failure_kind import failure_kind
from failsoft.telemetry.listener import EventListener
from failsoft.telemetry.timeline import SLICE_SECONDS

# A caller who leaves is no error.
_FINE: Final = frozenset(("ok", "cancelled"))
# Failures that are to follow; where a spare worker took over, none does, and it is forgotten.
_MOST_TOLD: Final = 100


class GetErrors(Request[ErrorReport], frozen=True):
    """Ask what went wrong."""


class ErrorsActor(EventListener):
    """Keep the errors that the tree tells of, and publish ErrorSpiked and ErrorSpikeEnded.

    One crash is one error, by what it began with: the worker that hung, or was lost, or whose load
    failed, and not the actor that fails by it as well. The requests that get no answer are others.

    log: where the errors are kept; made outside of the actor, it goes on after a restart.
    """

    def __init__(self, log: ErrorLog | None = None) -> None:
        self._log = log or ErrorLog()
        self._hung: tuple[str, int] | None = None
        self._told = deque[tuple[str, str]](maxlen=_MOST_TOLD)
        self._will_look = False

    async def on_start(self) -> None:
        await super().on_start()
        self._log.begin(self.context.clock.now())
        self._look_later()

    @handles(GetErrors)
    def _get_errors(self, _request: GetErrors) -> ErrorReport:
        return self._log.report(self.context.clock.now())

    # -- what went wrong

    @handles(RequestFinished)
    def _request_finished(self, event: RequestFinished) -> None:
        if event.outcome not in _FINE:
            self._add(event, event.outcome, event.request, event.correlation_id)

    @handles(ActorFailed)
    def _actor_failed(self, event: ActorFailed) -> None:
        failure = event.path, failure_kind(event.error)
        if failure in self._told:
            self._told.remove(failure)
        else:
            self._add(event, failure[1])

    @handles(WorkerHung)
    def _worker_hung(self, event: WorkerHung) -> None:
        self._hung = (event.path, event.pid)
        self._add(event, "worker_hung")

    @handles(WorkerEnded)
    def _worker_ended(self, event: WorkerEnded) -> None:
        was_killed_for_it = self._hung == (event.path, event.pid)
        self._hung = None if was_killed_for_it else self._hung  # threads have no pids to differ in
        if event.asked:
            return
        kind = event.error_type or WorkerLost.kind
        if not was_killed_for_it:
            self._add(event, kind)
        self._is_told(event, kind)

    @handles(SupervisorEscalated)
    def _escalated(self, event: SupervisorEscalated) -> None:
        self._add(event, "escalated")
        self._is_told(event, "IntensityExceeded")

    @handles(SubscriberDropped)
    def _subscriber_dropped(self, event: SubscriberDropped) -> None:
        self._add(event, "subscriber_dropped")

    def _is_told(self, event: Event, kind: str) -> None:
        """Count the actor's failure of that kind that follows as the one that was counted now."""
        if (event.path, kind) not in self._told:
            self._told.append((event.path, kind))

    def _add(
        self, event: Event, kind: str, operation: str = "", correlation_id: str | None = None
    ) -> None:
        what = operation or type(event).__name__
        record = ErrorRecord(kind, what, event.path, event.at, correlation_id)
        spike = self._log.add(record, self.context.clock.now())
        if spike is not None:
            self.context.publish(
                ErrorSpiked, error_type=spike.kind, rate=spike.rate, usual=spike.usual
            )
            self._look_later()

    # -- spikes

    def _look_later(self) -> None:
        if self._log.spikes and not self._will_look:
            self._will_look = True
            # No message: in a flood of errors, when it matters, that might be dropped.
            self.context.call_after(SLICE_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._will_look = False
        now = self.context.clock.now()
        for spike in self._log.ended(now):
            self.context.publish(
                ErrorSpikeEnded,
                error_type=spike.kind,
                rate=spike.rate,
                usual=spike.usual,
                seconds=now - spike.since,
            )
        self._look_later()
