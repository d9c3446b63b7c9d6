"""A call: one send of a service to a node, and the wire between them."""

from __future__ import annotations

from typing import Any, Protocol

from failsoft.messages import InferenceError, TextReply
from failsoft.supervisors.routing.route import Attempt, Route

# Seconds that a message takes, each way.
WIRE = 0.001


class Caller(Protocol):
    """Hear what becomes of a call."""

    def has_begun(self, call: Call) -> None: ...
    def has_ended(self, call: Call) -> None: ...


class Call:
    """Be one request of a service on its way.

    route: the node's own, once it got there. reply, error: what the node says. is_off: nobody
    waits for it.
    """

    __slots__ = ("attempt", "caller", "error", "is_off", "reply", "route")

    def __init__(self, caller: Caller, attempt: Attempt) -> None:
        self.caller = caller
        self.attempt = attempt
        self.route: Route | None = None
        self.reply: TextReply | None = None
        self.error: InferenceError | None = None
        self.is_off = False

    def begins(self, _: Any) -> None:
        """Tell its caller that an answer comes."""
        if not self.is_off:
            self.caller.has_begun(self)

    def ends(self, _: Any) -> None:
        """Tell its caller how it ended."""
        if not self.is_off:
            self.caller.has_ended(self)
