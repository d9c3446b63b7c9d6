"""What a router carries with a request, besides what decides its way."""

from __future__ import annotations

from contextvars import Context
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from failsoft.actors import Reply
from failsoft.actors.cell import Cell
from failsoft.actors.clock import Timer
from failsoft.actors.request_context import deadline_var
from failsoft.supervisors.routing.route import Attempt, Route


class Carried(msgspec.Struct, eq=False):
    """Hold the answer that is owed, what the request has bound, and the timer that is set."""

    reply: Reply[Any]
    context: Context
    timer: Timer | None = None

    @classmethod
    def by_itself(cls, cell: Cell, now: float, deadline: float) -> Self:
        """Give one for a request of the router's own, whose answer nobody waits for."""
        context = Context()
        context.run(deadline_var.set, deadline)
        return cls(Reply(cell, deadline, now), context)

    def set_timer(self, timer: Timer | None) -> None:
        """Have this timer instead of the one that was set before, which is called off."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = timer


def annotated(reply: Any, route: Route) -> Any:
    """Give the reply, or the chunk, with what the route knows, where it has fields for it."""
    if "model_used" not in getattr(reply, "__struct_fields__", ()):
        return reply
    warning = reply.warning
    # Of a stream, the last chunk alone has it.
    if route.request is not route.asked and getattr(reply, "finish_reason", "") is not None:
        warning = " ".join(filter(None, (warning, route.warning))) or None
    kept = {"token_ids": ()} if route.is_stream and hasattr(reply, "token_ids") else {}
    return replace(
        reply,
        **kept,
        model_used=route.model,
        was_fallback=route.was_fallback,
        attempts=route.sends,
        degradation_level=route.level._value_,  # as ``value``, without its descriptor's call
        warning=warning,
    )


def outcome_of(error: BaseException) -> str:
    """Give what an error is called."""
    return getattr(error, "kind", None) or type(error).__name__


def finished_event(route: Route, outcome: str, at: float) -> dict[str, Any]:
    """Give what RequestFinished tells of a request. outcome: ``ok`` or what its error is called."""
    first_at = route.first_at if route.is_stream else None
    return {
        "request": route.kind,
        "outcome": outcome,
        "seconds": at - route.arrived_at,
        "queue_seconds": (at if route.sent_at is None else route.sent_at) - route.arrived_at,
        "first_seconds": None if first_at is None else first_at - route.arrived_at,
        "model_used": route.model if outcome == "ok" else "",
        "was_fallback": route.was_fallback,
        "attempts": route.sends,
        "degradation_level": route.level.value,
        "prompt_tokens": getattr(route.usage, "prompt_tokens", 0),
        "completion_tokens": getattr(route.usage, "completion_tokens", 0),
        **route.ids,
    }


def attempt_event(attempt: Attempt, outcome: str, at: float) -> dict[str, Any]:
    """Give what AttemptEnded tells."""
    return {
        "model": attempt.target.id,
        "outcome": outcome,
        "seconds": at - attempt.began_at,
        "is_hedge": attempt.is_hedge,
        **attempt.route.ids,
    }
