"""A bounded mailbox with two lanes: control outruns work.

A tell is one append and, where the actor waits, one wake-up: no task, no future of its own.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable
from contextvars import Context
from threading import get_ident
from typing import TYPE_CHECKING, Any

import msgspec

from failsoft.actors.misuse import WrongThread
from failsoft.actors.ranked_lane import RankedLane
from failsoft.messages import Control

if TYPE_CHECKING:
    from failsoft.actors.reply import Reply

DEFAULT_BOUND = 1000
CONTROL_BOUND = 10_000


class Overflow(enum.Enum):
    """Say what happens to a message for a full work lane."""

    REJECT = "reject"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


# The garbage collector must see it: an error's traceback holds the frame that has it in hand, and
# its reply holds the error.
class Envelope(msgspec.Struct):
    """Carry a message with the answer that is owed for it and its sender's context."""

    message: Any
    reply: Reply[Any] | None = None
    context: Context | None = None


class Mailbox:
    """Hold what an actor has yet to handle. One reader, any number of writers, one thread.

    The work lane holds at most ``bound`` messages. The control lane takes all that the runtime
    has to say (stop, child exits), which children and watched actors are the bound of; from
    others, no more once ``CONTROL_BOUND`` messages wait there.
    """

    __slots__ = ("_control", "_held", "_waiter", "_work", "bound", "overflow", "thread")

    def __init__(self, bound: int = DEFAULT_BOUND, overflow: Overflow = Overflow.REJECT) -> None:
        if bound < 1:
            raise ValueError(f"a mailbox bound must be at least 1; it is {bound}")
        self.bound = bound
        self.overflow = overflow
        self.thread = get_ident()
        # Made when first used: most actors are idle, and an empty deque takes 0.6 KiB.
        self._work: deque[Envelope] | RankedLane | None = None
        self._control: deque[Envelope] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._held = False

    def put(self, envelope: Envelope) -> Envelope | None:
        """Put into the work lane. Give the envelope that doesn't fit: an old one, or this one."""
        work = self._work
        if work is None:
            work = self._work = deque()
        dropped = None
        if len(work) >= self.bound:
            if self.overflow is not Overflow.DROP_OLDEST:
                return envelope
            if isinstance(work, RankedLane):
                return work.replace(envelope)
            dropped = work.popleft()
        work.append(envelope)
        if self._waiter is not None and not self._held:
            if get_ident() != self.thread:
                work.pop()
                raise WrongThread
            waiter, self._waiter = self._waiter, None  # as in ``_wake``, and without a call
            if not waiter.done():
                waiter.set_result(None)
        return dropped

    @property
    def is_control_full(self) -> bool:
        return self._control is not None and len(self._control) >= CONTROL_BOUND

    def put_control(self, envelope: Envelope) -> None:
        """Put into the control lane."""
        if self._control is None:
            self._control = deque()
        self._control.append(envelope)
        self._wake()

    def take(self) -> Envelope | None:
        """Give the next envelope, control before work; None where there is none to take now."""
        if self._control:
            return self._control.popleft()
        if self._work and not self._held:
            return self._work.popleft()
        return None

    def put_back(self, envelopes: list[Envelope]) -> None:
        """Put messages that had been taken before all that wait in their lane, in their order.

        They had a place before, so the bound doesn't count for them.
        """
        for envelope in reversed(envelopes):
            if isinstance(envelope.message, Control):
                if self._control is None:
                    self._control = deque()
                self._control.appendleft(envelope)
            else:
                if self._work is None:
                    self._work = deque()
                self._work.appendleft(envelope)
        if not self._held or self._control:
            self._wake()

    def rank(self) -> None:
        """Take work by its priority from now on; unranked lanes don't pay for that."""
        if not isinstance(self._work, RankedLane):
            self._work = RankedLane(self._work or ())

    def hold(self) -> None:
        """Leave work where it is from now on, and take only control."""
        self._held = True

    def release(self) -> None:
        """Let work be taken again."""
        self._held = False
        if self._work:
            self._wake()

    def wait(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Give what to await until there may be something to take."""
        waiter = self._waiter = loop.create_future()
        return waiter

    def remove(self, matches: Callable[[Any], bool]) -> list[Envelope]:
        """Take the control messages out that match."""
        if not self._control:
            return []
        removed = [envelope for envelope in self._control if matches(envelope.message)]
        if removed:
            left = [e for e in self._control if not matches(e.message)]
            self._control = deque(left) if left else None
        return removed

    def drain(self) -> list[Envelope]:
        """Take all out, in the order in which it would have been handled."""
        left = [*(self._control or ()), *(self._work or ())]
        self._control = self._work = None
        return left

    def depths(self) -> tuple[int, int]:
        """Give the lengths of the lanes: control, work."""
        return len(self._control or ()), len(self._work or ())

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def __repr__(self) -> str:
        control, work = self.depths()
        held = " held" if self._held else ""
        return f"<Mailbox control={control} work={work}/{self.bound}{held}>"
