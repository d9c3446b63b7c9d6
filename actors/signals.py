"""The runtime's own control messages."""

from __future__ import annotations

from typing import Any

from failsoft.actors.exit import ExitReason
from failsoft.messages import Control, Request


class Stop(Control, frozen=True):
    """Ask an actor to end, once what it has in hand is done."""

    reason: ExitReason


class Wake(Control, frozen=True):
    """Have an actor look again at whether it should end."""


class Crash(Control, frozen=True):
    """End an actor with the error of one of its interleaving handlers."""

    error: Any


class ChildStarted(Control, frozen=True):
    """Tell a parent that its child's ``on_start`` is done."""

    child: Any


class ChildExited(Control, frozen=True):
    """Tell a parent that one incarnation of its child has ended."""

    child: Any
    reason: ExitReason


class Terminated(Control, frozen=True):
    """Tell a watcher that an actor has ended for good; restarts don't count."""

    ref: Any
    reason: ExitReason


class Ping(Request[float], Control, frozen=True):
    """Ask for a sign of life, ahead of all work; answered with the actor's clock (seconds)."""
