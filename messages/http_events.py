"""Events of requests over HTTP; ``path`` is ``http``, since no actor has them."""

from __future__ import annotations

from failsoft.messages.events import Event


class HttpRequestFinished(Event, frozen=True, kw_only=True):
    """A request over HTTP is over: its answer was sent to the last byte, or nobody waits for it.

    method, scheme: one of a few, or ``_OTHER``. route: the path's template, never the path; empty
        where nothing is served there.
    status: of the answer; 0 where none was begun.
    error_type: what failed, of a status from 500 on and of an answer that broke off; else empty.
        A client's own fault (4xx) is none.
    """

    method: str
    scheme: str
    route: str
    status: int
    error_type: str
    seconds: float
    correlation_id: str | None
    traceparent: str | None = None
