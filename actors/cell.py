"""A cell is an actor's place in the tree: its path, its mailbox, and its incarnations in turn.

The cell, and with it every ref, outlives a restart; the actor instance doesn't.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from failsoft.actors.actor import Actor
from failsoft.actors.address import Address
from failsoft.actors.errors import EndedInStart, describe
from failsoft.actors.exit import ExitReason
from failsoft.actors.incarnation import Incarnation
from failsoft.actors.mailbox import Envelope, Mailbox
from failsoft.actors.serving import Serving
from failsoft.actors.signals import ChildExited, ChildReadiness, ChildStarted, Crash, Signal
from failsoft.actors.statistics import ActorStatistics, actor_statistics
from failsoft.messages.events import ActorFailed, ActorStarted, ActorStopped, ActorStopping

if TYPE_CHECKING:
    from failsoft.actors.reply import Reply
    from failsoft.actors.system import System

ActorFactory = Callable[[], Actor]


class CellState(enum.Enum):
    """Name where a cell stands. ``down`` is between incarnations; ``closed`` is for good."""

    DOWN = "down"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    CLOSED = "closed"


class Cell(Address):
    """Run an actor's incarnations. For the runtime and for supervisors, not for users."""

    __slots__ = (
        "_life",
        "actor",
        "children",
        "factory",
        "incarnation",
        "is_ready",
        "serving",
        "since",
        "state",
    )

    def __init__(
        self, system: System, path: str, parent: Cell | None, factory: ActorFactory
    ) -> None:
        super().__init__(path, parent, Mailbox(), system)
        self.factory = factory
        self.state = CellState.DOWN
        self.is_ready = False
        self.incarnation = 0
        self.since = self.clock.now()
        self.children: dict[str, Cell] | None = None
        self.serving = Serving(self)
        self.actor: Actor | None = None
        self._life: Incarnation | None = None

    # -- seen from outside

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def is_down(self) -> bool:
        """Tell whether no incarnation is under way."""
        return self._life is None

    @property
    def is_stopping(self) -> bool:
        return self.state is CellState.STOPPING

    @property
    def task(self) -> asyncio.Task[None] | None:
        """Give the task of the incarnation that is under way."""
        return None if self._life is None else self._life.task

    @property
    def shutdown_timeout(self) -> float:
        return (self.actor or Actor).shutdown_timeout

    def start(self) -> None:
        """Begin an incarnation. Its parent gets ``ChildStarted`` or ``ChildExited``."""
        assert self.state is CellState.DOWN, self
        self.incarnation += 1
        self._enter(CellState.STARTING)
        self._life = Incarnation(self)

    def stop(self, reason: ExitReason, within: float) -> None:
        """Have the incarnation end once what it has in hand is done; kill it after ``within`` s."""
        if self._life is not None:
            self._life.stop(reason, within)

    def kill(self) -> None:
        """End the incarnation now: cancel it, and again if its clean-up doesn't end."""
        if self._life is not None:
            self._life.kill()

    def close(self, reason: ExitReason) -> None:
        """End for good: answer what still waits, tell the watchers, free the path."""
        if self.is_closed:
            return
        self.reason = reason
        self.is_closed = True
        self.accepts = self.streams = {}
        self._enter(CellState.CLOSED)
        for envelope in self.mailbox.drain():
            self.undelivered(envelope, "actor stopped")
        if self.parent is not None and self.parent.children:
            self.parent.children.pop(self.name, None)
        self.system.forget(self)
        self.tell_watchers()

    # -- for the actor, through its context

    def started(self) -> None:
        """Take note that the actor is up; let it have work."""
        if self.state is not CellState.STARTING:
            return
        self._enter(CellState.RUNNING)
        self.system.events.publish(ActorStarted, self.path, incarnation=self.incarnation)
        self._tell_parent(ChildStarted(self))
        if self.actor is not None and not self.actor.context.ready_is_deferred:
            self.set_ready(True)

    def set_ready(self, is_ready: bool) -> None:
        """Take note of whether the actor wants work; tell the parent where that is news."""
        if is_ready != self.is_ready:
            self.is_ready = is_ready
            if self.parent is not None and not self.parent.is_down:
                self.parent.mailbox.put_control(Envelope(ChildReadiness(self, is_ready)))

    def crash(self, error: BaseException) -> None:
        """Have the incarnation fail with ``error``."""
        self.mailbox.put_control(Envelope(Crash(error)))

    def exit(self, reason: ExitReason) -> None:
        """Have the incarnation end, once the handler in hand has returned."""
        life = self._life
        if life is None:
            return
        if life.is_starting and asyncio.current_task() is life.task:
            raise EndedInStart(self.path)
        life.exit(reason)

    # -- for its incarnation

    def embody(self, actor: Actor) -> None:
        """Take on the actor of the new incarnation, with what it says of its mailbox."""
        self.actor = actor
        self.accepts, self.streams = actor.message_handlers, actor.stream_handlers
        self.mailbox.bound, self.mailbox.overflow = actor.mailbox_bound, actor.overflow
        # Of a class whose messages each have their own, it is the field, and as true as a number.
        kinds = (*self.accepts, *self.streams) if actor.ranks_work else ()
        if any(getattr(kind, "priority", 0) for kind in kinds):
            self.mailbox.rank()

    def stopping(self) -> None:
        """Take note that the actor was asked to stop: no more work for it."""
        if self.state is not CellState.STOPPING:
            self.system.events.publish(ActorStopping, self.path)
        self._enter(CellState.STOPPING)
        self.set_ready(False)

    def ending(self, reason: ExitReason) -> None:
        """Take note that the actor ends, and why."""
        self.reason = reason
        self.stopping()

    def ended(self, reason: ExitReason) -> None:
        """Take note that the incarnation is over; tell the parent, who decides what now."""
        self.actor = self._life = None
        self.reason = reason
        self._enter(CellState.DOWN)
        for envelope in self.mailbox.remove(lambda message: isinstance(message, Signal)):
            self.undelivered(envelope, "actor stopped")
        try:
            self._publish_end(reason)
        except Exception as error:  # a log that can't be written must not keep the parent waiting
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"the end of {self.path} could not be logged", "exception": error}
            )
        self._tell_parent(ChildExited(self, reason))

    def statistics(self) -> ActorStatistics:
        return actor_statistics(self)

    def has_beside(self, reply: Reply[Any]) -> bool:
        return self.serving.has_beside(reply)

    def regulate(self) -> None:
        """Let work be taken only while the actor runs and has room for it."""
        if self.state is CellState.RUNNING and not self.serving.is_full:
            self.mailbox.release()
        else:
            self.mailbox.hold()

    def _publish_end(self, reason: ExitReason) -> None:
        if reason.is_abnormal:
            said = describe(reason.error) if reason.error else str(reason)
            self.system.events.publish(ActorFailed, self.path, error=said)
            self.system.log_failure(self.path, reason)
        else:
            self.system.events.publish(ActorStopped, self.path, reason=str(reason))

    def _tell_parent(self, message: ChildStarted | ChildExited) -> None:
        if self.parent is None:
            self.system.top_level(message)
        elif not self.parent.is_down:
            self.parent.mailbox.put_control(Envelope(message))
        elif isinstance(message, ChildExited):
            self.close(message.reason)

    def _enter(self, state: CellState) -> None:
        self.state = state
        self.since = self.clock.now()
        self.regulate()

    def __repr__(self) -> str:
        return f"<Cell {self.path} {self.state.value} #{self.incarnation} {self.mailbox!r}>"
