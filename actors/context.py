"""Context: what an actor knows of its place in the tree, and what it may do there."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from failsoft.actors.clock import Clock, Timer
from failsoft.actors.exit import NORMAL, ExitReason
from failsoft.messages import Message
from failsoft.messages.events import Event

if TYPE_CHECKING:
    from failsoft.actors.cell import ActorFactory, Cell
    from failsoft.actors.ref import Ref
    from failsoft.actors.reply import Reply
    from failsoft.actors.system import System


class Context:
    """Be one incarnation's view of the runtime. Its timers end with it."""

    __slots__ = ("_cell", "_timers", "start_is_deferred")

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._timers: set[_ActorTimer] | None = None
        self.start_is_deferred = False

    # -- who and where

    @property
    def ref(self) -> Ref:
        """Give the way to this actor."""
        return self._cell.ref

    @property
    def parent(self) -> Ref | None:
        """Give the way to the parent; None at the top."""
        return None if self._cell.parent is None else self._cell.parent.ref

    @property
    def path(self) -> str:
        return self._cell.path

    @property
    def incarnation(self) -> int:
        """Count the incarnations, this one included, from 1."""
        return self._cell.incarnation

    @property
    def system(self) -> System:
        return self._cell.system

    @property
    def clock(self) -> Clock:
        return self._cell.clock

    @property
    def random(self) -> Random:
        """Give the system's source of chance; tests seed it."""
        return self._cell.system.random

    # -- answers

    def defer(self) -> Reply[Any]:
        """Take over the answer to the message in hand, to give it later; the handler returns it.

        It stays owed: where the actor ends first, it is answered with the reason.
        """
        return self._cell.serving.defer()

    # -- the tree

    def spawn(self, factory: ActorFactory, name: str) -> Ref:
        """Start a child, linked as by OTP's spawn_link: its failure is this actor's failure.

        It ends with this actor. For children that are restarted, use a supervisor.
        Raise NameTaken where a child has the name already.
        """
        cell = self.add_child(factory, name)
        cell.start()
        return cell.ref

    def add_child(self, factory: ActorFactory, name: str) -> Cell:
        """Make a child's place without starting it: for supervisors."""
        return self._cell.system.add_cell(factory, name, self._cell)

    @property
    def children(self) -> dict[str, Cell]:
        """Give the children's places by name, in order of their making: for supervisors."""
        return self._cell.children or {}

    def watch(self, ref: Ref) -> None:
        """Have one ``Terminated`` sent here when ``ref`` ends for good; at once if it has."""
        ref.address.add_watcher(self._cell)

    def unwatch(self, ref: Ref) -> None:
        """Have none sent after all."""
        ref.address.remove_watcher(self._cell)

    def exit(self, reason: ExitReason = NORMAL) -> None:
        """End this actor once the handler in hand has returned."""
        self._cell.exit(reason)

    def defer_start(self) -> None:
        """Say in ``on_start`` that the start takes until ``started`` is called.

        Meanwhile control messages are handled, so that a long start can be called off.
        """
        self.start_is_deferred = True

    def started(self) -> None:
        """Say that the start is done."""
        self._cell.started()

    # -- time

    def send_after(self, delay: float, message: Message) -> Timer:
        """Tell this actor ``message``, ``delay`` seconds from now."""
        return self._add_timer(lambda: self._cell.put_or_bury(message), delay, None)

    def send_every(self, period: float, message: Message) -> Timer:
        """Tell this actor ``message`` every ``period`` seconds, without drift."""
        return self._add_timer(lambda: self._cell.put_or_bury(message), period, period)

    def call_after(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in the loop in ``delay`` seconds, between handlers' steps."""
        return self._add_timer(callback, delay, None)

    def cancel_timers(self) -> None:
        """Call off all timers; the runtime does so when the incarnation ends."""
        for timer in tuple(self._timers or ()):
            timer.cancel()

    def _add_timer(
        self, callback: Callable[[], object], delay: float, period: float | None
    ) -> Timer:
        if self._timers is None:
            self._timers = set()
        return _ActorTimer(self.clock, callback, delay, period, self._timers)

    # -- telling

    def publish(self, kind: type[Event], **fields: object) -> None:
        """Publish an event about this actor."""
        self._cell.system.events.publish(kind, self._cell.path, **fields)


class _ActorTimer:
    """Be a timer that leaves its actor's set when it is over."""

    __slots__ = ("_callback", "_clock", "_due", "_handle", "_others", "_period")

    def __init__(
        self,
        clock: Clock,
        callback: Callable[[], object],
        delay: float,
        period: float | None,
        others: set[_ActorTimer],
    ) -> None:
        if delay < 0 or (period is not None and period <= 0):
            raise ValueError("a delay must be at least 0 s, and a period over 0 s")
        self._clock = clock
        self._callback = callback
        self._period = period
        self._others = others
        self._due = clock.now() + delay
        self._handle = clock.call_at(self._due, self._fire)
        others.add(self)

    def cancel(self) -> None:
        self._handle.cancel()
        self._others.discard(self)

    def _fire(self) -> None:
        if self._period is None:
            self._others.discard(self)
        else:
            # From the time that was due, not from now: lateness does not add up. Where whole
            # periods were missed, they are skipped.
            missed = int((self._clock.now() - self._due) / self._period)
            self._due += self._period * (missed + 1)
            self._handle = self._clock.call_at(self._due, self._fire)
        self._callback()
