"""The runtime's own control messages.

A ``Signal`` concerns one incarnation alone: what is left of it in the mailbox when that one ends
must not be seen by the next.
"""

from __future__ import annotations

from typing import Any

from failsoft.actors.exit import ExitReason
from failsoft.messages import Control, Request


class Signal(Control, frozen=True):
    """Be the base of what is between the runtime and one incarnation."""


class Stop(Signal, frozen=True):
    """Ask an actor to end, once what it has in hand is done."""

    reason: ExitReason


class Wake(Signal, frozen=True):
    """Have an actor look again at whether it should end."""


class Crash(Signal, frozen=True):
    """End an actor with an error from outside of the handler in hand."""

    error: Any


class ChildStarted(Signal, frozen=True):
    """Tell a parent that its child's ``on_start`` is done."""

    child: Any


class ChildExited(Signal, frozen=True):
    """Tell a parent that one incarnation of its child has ended."""

    child: Any
    reason: ExitReason


class ChildReadiness(Signal, frozen=True):
    """Tell a parent that its child became ready for work, or is ready no more."""

    child: Any
    is_ready: bool


class Terminated(Signal, frozen=True):
    """Tell a watcher that an actor has ended for good; restarts don't count."""

    ref: Any
    reason: ExitReason


class Ping(Request[float], Control, frozen=True):
    """Ask for a sign of life, ahead of all work; answered with the actor's clock (seconds)."""
