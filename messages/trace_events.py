"""Events of requests that are traced, for their spans; of others, there are none of these."""

from __future__ import annotations

from failsoft.messages.events import Event


class AttemptEnded(Event, frozen=True, kw_only=True):
    """A model ended its try at a request that is traced.

    outcome: ``ok``, an error kind, or ``called_off``.
    """

    model: str
    outcome: str
    seconds: float
    is_hedge: bool
    correlation_id: str | None
    traceparent: str


class RequestServed(Event, frozen=True, kw_only=True):
    """A worker ended a request that is traced.

    arrived, began, shown, ended: when the worker got it, its engine did, it showed something
        first, and it ended; on the monotonic clock, None for what was never so.
    beside: the traceparents of those that were in the batch when it was begun.
    most_at_once: in its batch, itself included.
    """

    pid: int
    arrived: float
    began: float | None
    shown: float | None
    ended: float
    most_at_once: int
    beside: tuple[str, ...]
    correlation_id: str | None
    traceparent: str
