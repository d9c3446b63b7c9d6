"""The tree's events as log lines."""

from __future__ import annotations

import functools
import logging
from typing import Any, Final

import structlog

from failsoft.actors import EventBus, Subscription
from failsoft.actors.tracing import trace_id_of
from failsoft.messages.events import (
    ActorFailed,
    ActorStarted,
    ActorStopped,
    ActorStopping,
    BreakerChanged,
    ChildStarting,
    DeadLettered,
    DeviceMemoryReported,
    Event,
    FellBack,
    LoopBlocked,
    ModelLoading,
    ModelStateChanged,
    RequestFinished,
    RequestQuarantined,
    RequestResumed,
    SupervisorEscalated,
    WorkerAbandoned,
    WorkerEnded,
    WorkerHung,
)
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.messages.pool_events import ReplicaDenied
from failsoft.messages.trace_events import AttemptEnded, RequestServed
from failsoft.telemetry.events import AlertLost, ErrorSpiked, HealthChanged

log = structlog.get_logger("failsoft.events")

# One for each request or more, or for each heartbeat; or the runtime has its own line.
_DEBUG: Final = (
    *(ActorStarted, ActorStopped, ActorStopping, ActorFailed, ChildStarting, DeadLettered),
    *(AttemptEnded, DeviceMemoryReported, LoopBlocked, ModelLoading, RequestServed),
)
_WARNING: Final = (
    *(FellBack, RequestQuarantined, RequestResumed, ReplicaDenied),
    *(WorkerAbandoned, WorkerHung, AlertLost, ErrorSpiked),
)
# By the highest level that they have: the kinds that there may be many of.
_AT_MOST: Final = (
    (logging.DEBUG, _DEBUG),
    (logging.INFO, (HttpRequestFinished, ModelStateChanged)),
    (logging.WARNING, (RequestFinished,)),
)
_NUMBERS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_BUSY: Final = {"ready", "busy"}
_CLIENT_ERROR: Final = 400
_FINE: Final = frozenset(("ok", "cancelled"))


def log_events(bus: EventBus) -> Subscription:
    """Have each event of the tree written as one log line; cancel the subscription to end it.

    Lines are written as structlog is configured now.
    """
    # Bound once: there are several events to a request, and most are quiet.
    bound = log.bind()
    return bus.subscribe(functools.partial(_write, bound), but=_unheard(bound))


def _unheard(bound: Any) -> tuple[type[Event], ...]:
    """Give the kinds of which no line would be written, so that none is made for that."""
    is_heard = getattr(bound, "is_enabled_for", None)
    if is_heard is None:  # loggers of others may not tell
        return ()
    return tuple(kind for level, kinds in _AT_MOST for kind in kinds if not is_heard(level))


def level_of(event: Event) -> str:
    """Give the level that an event is logged at."""
    match event:
        case ModelStateChanged(before=before, after=after) if {before, after} == _BUSY:
            return "debug"
        case RequestFinished(outcome=outcome):
            return "info" if outcome in _FINE else "warning"
        # What a router had, RequestFinished tells; what was refused before that, this alone.
        case HttpRequestFinished(status=status, error_type=error_type):
            return "info" if error_type or status >= _CLIENT_ERROR else "debug"
        case BreakerChanged(after="open") | WorkerEnded(asked=False):
            return "warning"
        case HealthChanged(after=after) if after != "healthy":
            return "warning"
        case SupervisorEscalated():
            return "error"
    if isinstance(event, _DEBUG):
        return "debug"
    return "warning" if isinstance(event, _WARNING) else "info"


def _write(bound: Any, event: Event) -> None:
    level = level_of(event)
    # Most events are quiet, and their fields needn't be looked at. Loggers of others may not tell.
    is_heard = getattr(bound, "is_enabled_for", None)
    if is_heard is not None and not is_heard(_NUMBERS[level]):
        return
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    traceparent = fields.pop("traceparent", None)
    if traceparent is not None:
        fields["trace_id"] = trace_id_of(traceparent)
    getattr(bound, level)(type(event).__name__, **fields)
