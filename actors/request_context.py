"""What travels with a request from actor to actor: its deadline and its correlation id.

Both are context variables. A message carries its sender's context, and its handler runs in it,
so that whatever a handler asks on inherits them, and the next message doesn't.
"""

from __future__ import annotations

import asyncio
import math
from contextvars import ContextVar

import structlog

# What the name of an actor's task begins with; its path follows.
ACTOR_TASK = "actor "

deadline_var: ContextVar[float] = ContextVar("failsoft_deadline", default=math.inf)
correlation_var: ContextVar[str | None] = ContextVar("failsoft_correlation_id", default=None)


def current_deadline() -> float:
    """Give the deadline of the request in hand, on the system's clock; infinity for none."""
    return deadline_var.get()


def current_correlation_id() -> str | None:
    """Give the correlation id of the request in hand."""
    return correlation_var.get()


def current_actor() -> str | None:
    """Give the path of the actor whose code this is; None outside of actors' handlers.

    A task that a handler makes for itself is none of the actor's, and has none.
    """
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
    name = "" if task is None else task.get_name()
    return name.removeprefix(ACTOR_TASK) if name.startswith(ACTOR_TASK) else None


def bind_correlation_id(correlation_id: str) -> None:
    """Set the correlation id of all that the current context does from here on, logs too."""
    correlation_var.set(correlation_id)
    structlog.contextvars.bind_contextvars(correlation_id=correlation_id)
