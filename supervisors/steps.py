"""What goes into a supervisor's state machine, and what comes out of it."""

from __future__ import annotations

import msgspec
from failsoft.actors.exit import ExitReason

# -- events


class Begin(msgspec.Struct, frozen=True):
    """Start all children."""


class Started(msgspec.Struct, frozen=True):
    """A child is up."""

    id: str


class Exited(msgspec.Struct, frozen=True):
    """A child has ended."""

    id: str
    reason: ExitReason


class Due(msgspec.Struct, frozen=True):
    """A plan's wait is over."""

    plan: str


class Shutdown(msgspec.Struct, frozen=True):
    """Stop all children, then end."""

    reason: ExitReason


SupervisorInput = Begin | Started | Exited | Due | Shutdown


# -- actions


class Start(msgspec.Struct, frozen=True):
    """Start the child."""

    id: str


class Halt(msgspec.Struct, frozen=True):
    """Stop the child, within its shutdown time."""

    id: str


class Forget(msgspec.Struct, frozen=True):
    """Close the child's place: it ended and won't be restarted."""

    id: str
    reason: ExitReason


class Wait(msgspec.Struct, frozen=True):
    """Send ``Due`` for the plan in ``delay`` seconds; a later Wait replaces an earlier one."""

    plan: str
    delay: float
    child: str
    attempt: int
    reason: ExitReason


class CalledOff(msgspec.Struct, frozen=True):
    """The plan's ``Due`` isn't wanted any more."""

    plan: str


class Restarted(msgspec.Struct, frozen=True):
    """A child that had ended is up again."""

    id: str


class CooledDown(msgspec.Struct, frozen=True):
    """The child failed too often; it is left alone for a while."""

    id: str
    seconds: float
    reason: ExitReason


class Up(msgspec.Struct, frozen=True):
    """The first start is complete."""


class End(msgspec.Struct, frozen=True):
    """All children are down: the supervisor ends."""

    reason: ExitReason


Action = Start | Halt | Forget | Wait | CalledOff | Restarted | CooledDown | Up | End
