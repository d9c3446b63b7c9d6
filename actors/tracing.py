"""Traces: what carries a request's place in a trace along, and who is asked to record it.

The runtime knows W3C's ``traceparent``, a text, and nothing of OpenTelemetry. It is a context
variable, so it goes from actor to actor as the deadline does, and on to remote servers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import Context, ContextVar
from typing import Any, Final

traceparent_var: ContextVar[str | None] = ContextVar("failsoft_traceparent", default=None)

_FORM: Final = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"(?:-[!-~]{0,200})?"
)

_LENGTH: Final = 55  # what later versions than 00 add comes after it

# Begin the span of a request: its router's path, its type's name, and its context, in which what
# it asks for is done. Give its traceparent where it is recorded.
Begin = Callable[[str, str, Context], str | None]
# The same for a request over HTTP, in the current context: its method, or ``_OTHER``, and ASGI's
# scope.
BeginHttp = Callable[[str, Mapping[str, Any]], str | None]


class Tracing:
    """Have requests traced: an extension of the system.

    begin, begin_http: who begins a span; None for nobody. Each router calls the one, and the
        service the other, for each request; they must be quick, and not raise.
    """

    def __init__(self) -> None:
        self.begin: Begin | None = None
        self.begin_http: BeginHttp | None = None

    @property
    def traceparent(self) -> str | None:
        """Give the place in a trace of the request in hand; None where it isn't recorded."""
        if self.begin is None:
            return None
        traceparent = traceparent_var.get()
        return traceparent if traceparent is not None and is_sampled(traceparent) else None

    async def aclose(self) -> None: ...


def current_traceparent() -> str | None:
    """Give the place in a trace of what is being done, as W3C's ``traceparent``."""
    return traceparent_var.get()


def bind_traceparent(traceparent: str | None) -> bool:
    """Have all that the current context does from here on be part of this trace.

    traceparent: as it came with a request; what isn't in W3C's form is left out, as its
        specification wants, and then this gives False.
    """
    if traceparent is None or _FORM.fullmatch(traceparent) is None:
        return False
    traceparent_var.set(traceparent[:_LENGTH])
    return True


def trace_id_of(traceparent: str) -> str:
    """Give the trace's id, in 32 hexadecimal digits."""
    return traceparent[3:35]


def is_sampled(traceparent: str) -> bool:
    """Tell whether the trace is recorded."""
    return bool(int(traceparent[53:55], 16) & 1)
