"""Context: what an actor knows of its place in the tree, and what it may do there."""

from __future__ import annotations

import contextvars
import math
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn

from failsoft.actors.clock import Clock, Timer
from failsoft.actors.exit import NORMAL, ExitReason
from failsoft.actors.mailbox import Envelope
from failsoft.actors.request_context import deadline_var
from failsoft.actors.signals import Terminated
from failsoft.messages import Message
from failsoft.messages.events import Event

if TYPE_CHECKING:
    from failsoft.actors.address import Address
    from failsoft.actors.cell import ActorFactory, Cell
    from failsoft.actors.ref import Ref
    from failsoft.actors.reply import Reply
    from failsoft.actors.system import System


class Context:
    """Be one incarnation's view of the runtime. Its timers and its watches end with it.

    Whoever still holds it after that, a callback say, can't reach the next incarnation by it.
    """

    __slots__ = (
        "_cell",
        "_timers",
        "_watched",
        "is_over",
        "ready_is_deferred",
        "start_is_deferred",
    )

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._timers: set[_ActorTimer] | None = None
        self._watched: set[Address] | None = None
        self.is_over = False
        self.start_is_deferred = False
        self.ready_is_deferred = False

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

    def register(self, name: str) -> None:
        """Let others find this actor by ``system.whereis(name)``, through its restarts too.

        Raise NameTaken where another actor has the name.
        """
        if not self.is_over:
            self.system.registry.register(name, self.ref)

    # -- answers

    def defer(self) -> Reply[Any]:
        """Take over the answer to the message in hand, to give it later; the handler returns it.

        It stays owed: where the actor ends first, it is answered with the reason.
        """
        return self._cell.serving.defer()

    def stash(self) -> NoReturn:
        """Put the message in hand aside, and leave the handler: what follows isn't run.

        ``unstash_all`` brings it back. Its answer stays owed, and its deadline counts. At a
        restart what was put aside goes back to the front of the mailbox. Raise StashFull at the
        actor's ``stash_bound``: where the handler lets that pass, it is the asker's answer, or
        makes a dead letter of what nobody asked for.
        """
        self._cell.serving.stash()

    def unstash_all(self) -> None:
        """Have all that was put aside handled next, in its order, before newer messages."""
        if not self.is_over:
            self._cell.serving.unstash()

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
        if self.is_over:
            raise RuntimeError(f"this incarnation of {self.path} has ended; it can spawn no child")
        return self._cell.system.add_cell(factory, name, self._cell)

    @property
    def children(self) -> dict[str, Cell]:
        """Give the children's places by name, in order of their making: for supervisors."""
        return self._cell.children or {}

    def watch(self, ref: Ref) -> None:
        """Have one ``Terminated`` sent here when ``ref`` ends for good; at once if it has.

        The watch ends with this incarnation: watch again in ``on_start``.
        """
        address = ref.address
        if not self.is_over:
            if self._watched is None:
                self._watched = set()
            self._watched.add(address)
            address.add_watcher(self, self._terminated)

    def unwatch(self, ref: Ref) -> None:
        """Have none sent after all."""
        if self._watched is not None and ref.address in self._watched:
            self._watched.remove(ref.address)
            ref.address.remove_watcher(self)
        self._cell.mailbox.remove(
            lambda message: isinstance(message, Terminated) and message.ref == ref
        )

    def _terminated(self, message: Terminated) -> None:
        assert self._watched is not None
        self._watched.discard(message.ref.address)
        self._cell.mailbox.put_control(Envelope(message))

    def exit(self, reason: ExitReason = NORMAL) -> None:
        """End this actor once the handler in hand has returned.

        Raise EndedInStart in ``on_start``: there, to raise is to fail the start.
        """
        if not self.is_over:
            self._cell.exit(reason)

    def defer_start(self) -> None:
        """Say in ``on_start`` that the start takes until ``started`` is called.

        Meanwhile control messages are handled, so that a long start can be called off.
        """
        self.start_is_deferred = True

    def started(self) -> None:
        """Say that the start is done."""
        if not self.is_over:
            self._cell.started()

    def defer_ready(self) -> None:
        """Say in ``on_start`` that it takes longer to be ready for work than to start."""
        self.ready_is_deferred = True

    def set_ready(self, is_ready: bool) -> None:
        """Tell the parent, a router say, whether work is welcome; messages come all the same."""
        if not self.is_over:
            self._cell.set_ready(is_ready)

    def crash(self, error: Exception) -> None:
        """Fail this actor with ``error``, from outside of its handlers: a callback, a task."""
        if not self.is_over:
            self._cell.crash(error)

    # -- time

    def send_after(self, delay: float, message: Message) -> Timer:
        """Tell this actor ``message``, ``delay`` seconds from now.

        What the present request has bound goes along (its correlation id), but its deadline.
        Raise UnknownMessage where the actor has no handler for it.
        """
        self._cell.check(message)
        return self._add_timer(lambda: self._cell.put_or_bury(message), delay, None)

    def send_every(self, period: float, message: Message) -> Timer:
        """Tell this actor ``message`` every ``period`` seconds, without drift."""
        self._cell.check(message)
        return self._add_timer(lambda: self._cell.put_or_bury(message), period, period)

    def call_after(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in the loop in ``delay`` seconds, between handlers' steps."""
        return self._add_timer(callback, delay, None)

    def cancel_timers(self) -> None:
        """Call off all timers; the runtime does so when the incarnation ends."""
        for timer in tuple(self._timers or ()):
            timer.cancel()

    def end(self) -> None:
        """Have nothing more to do with the actor: the runtime's last word to this incarnation."""
        self.is_over = True
        self.cancel_timers()
        for address in self._watched or ():
            address.remove_watcher(self)
        self._watched = None

    def _add_timer(
        self, callback: Callable[[], object], delay: float, period: float | None
    ) -> Timer:
        if self.is_over:
            raise RuntimeError(f"this incarnation of {self.path} has ended; it can set no timer")
        if self._timers is None:
            self._timers = set()
        return _ActorTimer(self.clock, callback, delay, period, self._timers)

    # -- telling

    def publish(self, kind: type[Event], /, **fields: object) -> None:
        """Publish an event about this actor."""
        self._cell.system.events.publish(kind, self._cell.path, **fields)


class _ActorTimer:
    """Be a timer that leaves its actor's set when it is over."""

    __slots__ = ("_callback", "_clock", "_context", "_due", "_handle", "_others", "_period")

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
        # A request's deadline is for what is done now; by then it would have passed.
        self._context = contextvars.copy_context()
        self._context.run(deadline_var.set, math.inf)
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
        self._context.run(self._callback)
