"""What goes into a supervisor's state machine, and what comes out of it."""

from __future__ import annotations

import msgspec

from failsoft.actors.exit import ExitReason
from failsoft.supervisors.spec import ChildSpec

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

    plan: int


class Shutdown(msgspec.Struct, frozen=True):
    """Stop all children, then end."""

    reason: ExitReason


# -- orders: a ``call`` is a number for whoever waits for the answer


class AddChild(msgspec.Struct, frozen=True):
    """Take in a new child and start it; answered once it is up."""

    call: int
    spec: ChildSpec


class StopChild(msgspec.Struct, frozen=True):
    """Stop a child and don't restart it; answered once it is down."""

    call: int
    id: str


class StartAgain(msgspec.Struct, frozen=True):
    """Start a child that is stopped; answered once it is up."""

    call: int
    id: str


class DropChild(msgspec.Struct, frozen=True):
    """Drop the description of a child that is stopped."""

    call: int
    id: str


Order = AddChild | StopChild | StartAgain | DropChild
SupervisorInput = Begin | Started | Exited | Due | Shutdown | Order


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
    """Send ``Due`` for the plan in ``delay`` seconds, because of ``child``'s end."""

    plan: int
    delay: float
    child: str
    attempt: int
    reason: ExitReason


class CalledOff(msgspec.Struct, frozen=True):
    """The plan's ``Due`` isn't wanted any more."""

    plan: int


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


class Completed(msgspec.Struct, frozen=True):
    """The end of a significant child ends the supervisor."""

    id: str


class Answer(msgspec.Struct, frozen=True):
    """Tell the caller that what it ordered for the child is done."""

    call: int
    id: str


class Refuse(msgspec.Struct, frozen=True):
    """Tell the caller that what it ordered isn't done, and why."""

    call: int
    error: Exception


class End(msgspec.Struct, frozen=True):
    """All children are down: the supervisor ends."""

    reason: ExitReason


Action = (
    Start
    | Halt
    | Forget
    | Wait
    | CalledOff
    | Restarted
    | CooledDown
    | Up
    | Completed
    | Answer
    | Refuse
    | End
)
