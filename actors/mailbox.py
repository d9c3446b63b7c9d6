"""A bounded mailbox with two lanes: control outruns work.

A tell is one append and, where the actor waits, one wake-up: no task, no future of its own.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from failsoft.actors.reply import Reply

DEFAULT_BOUND = 1000
CONTROL_BOUND = 10_000


class Overflow(enum.Enum):
    """Say what happens to a message for a full work lane."""

    REJECT = "reject"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


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

    __slots__ = ("_control", "_held", "_waiter", "_work", "bound", "overflow")

    def __init__(self, bound: int = DEFAULT_BOUND, overflow: Overflow = Overflow.REJECT) -> None:
        if bound < 1:
            raise ValueError(f"a mailbox bound must be at least 1; it is {bound}")
        self.bound = bound
        self.overflow = overflow
        self._work: deque[Envelope] = deque()
        self._control: deque[Envelope] | None = None  # made when first used, to save memory
        self._waiter: asyncio.Future[None] | None = None
        self._held = False

    def put(self, envelope: Envelope) -> Envelope | None:
        """Put into the work lane. Give the envelope that doesn't fit: an old one, or this one."""
        dropped = None
        if len(self._work) >= self.bound:
            if self.overflow is not Overflow.DROP_OLDEST:
                return envelope
            dropped = self._work.popleft()
        self._work.append(envelope)
        if self._waiter is not None and not self._held:
            self._wake()
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

    def hold(self) -> None:
        """Leave work where it is from now on, and take only control."""
        self._held = True

    def release(self) -> None:
        """Let work be taken again."""
        self._held = False
        if self._work:
            self._wake()

    def wait(self) -> asyncio.Future[None]:
        """Give what to await until there may be something to take."""
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        return waiter

    def remove(self, matches: Callable[[Any], bool]) -> list[Envelope]:
        """Take the control messages out that match."""
        removed = [envelope for envelope in self._control or () if matches(envelope.message)]
        if removed:
            left = [e for e in self._control or () if not matches(e.message)]
            self._control = deque(left) if left else None
        return removed

    def drain(self) -> list[Envelope]:
        """Take all out, in the order in which it would have been handled."""
        left = [*(self._control or ()), *self._work]
        self._control = None
        self._work.clear()
        return left

    def depths(self) -> tuple[int, int]:
        """Give the lengths of the lanes: control, work."""
        return len(self._control or ()), len(self._work)

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def __repr__(self) -> str:
        control, work = self.depths()
        held = " held" if self._held else ""
        return f"<Mailbox control={control} work={work}/{self.bound}{held}>"
