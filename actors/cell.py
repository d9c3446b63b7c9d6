"""A cell is an actor's place in the tree: its path, its mailbox, and its incarnations in turn.

The cell, and with it every ref, outlives a restart; the actor instance doesn't. One incarnation
is one task. The cell sees to it that every answer owed is given, however the incarnation ends.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from failsoft.actors.actor import Actor
from failsoft.actors.address import Address
from failsoft.actors.context import Context
from failsoft.actors.errors import ChildFailed, UnknownMessage, describe
from failsoft.actors.exit import KILLED, ExitReason, failed
from failsoft.actors.mailbox import Envelope, Mailbox
from failsoft.actors.reply import StreamReply
from failsoft.actors.serving import Serving
from failsoft.actors.signals import ChildExited, ChildStarted, Crash, Stop, Terminated, Wake
from failsoft.messages.events import ActorFailed, ActorStarted
from failsoft.messages.events import ActorStopped as ActorStoppedEvent

if TYPE_CHECKING:
    from failsoft.actors.clock import Timer
    from failsoft.actors.system import System

ActorFactory = Callable[[], Actor]

# Messages handled in a row before other tasks get a turn.
BURST = 64
# Seconds that a killed actor's clean-up may take before it is cancelled again.
CLEAN_UP_TIME = 5.0


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
        "_exit",
        "_kill_timer",
        "_stop",
        "_task",
        "_was_killed",
        "actor",
        "children",
        "factory",
        "incarnation",
        "serving",
        "since",
        "state",
    )

    def __init__(
        self, system: System, path: str, parent: Cell | None, factory: ActorFactory
    ) -> None:
        made = factory if isinstance(factory, type) else getattr(factory, "func", None)
        known = made if isinstance(made, type) and issubclass(made, Actor) else Actor
        super().__init__(path, parent, Mailbox(known.mailbox_bound, known.overflow), system)
        self.factory = factory
        self.state = CellState.DOWN
        self.incarnation = 0
        self.since = self.clock.now()
        self.children: dict[str, Cell] | None = None
        self.serving = Serving(self)
        self.actor: Actor | None = None
        self._task: asyncio.Task[None] | None = None
        self._kill_timer: Timer | None = None
        self._exit: ExitReason | None = None
        self._stop: ExitReason | None = None
        self._was_killed = False

    # -- seen from outside

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def is_down(self) -> bool:
        """Tell whether no incarnation is under way."""
        return self.state in (CellState.DOWN, CellState.CLOSED)

    @property
    def shutdown_timeout(self) -> float:
        return (self.actor or Actor).shutdown_timeout

    def start(self) -> None:
        """Begin an incarnation. Its parent gets ``ChildStarted`` or ``ChildExited``."""
        assert self.state is CellState.DOWN, self
        self.incarnation += 1
        self._exit = self._stop = None
        self._was_killed = False
        self._enter(CellState.STARTING)
        self._task = self.system.create_task(self._run())

    def stop(self, reason: ExitReason, within: float) -> None:
        """Have the incarnation end once what it has in hand is done; kill it after ``within`` s."""
        if self.is_down:
            return
        if within <= 0:
            self.kill()
            return
        self.mailbox.put_control(Envelope(Stop(reason)))
        if within != float("inf"):
            self._kill_at(self.clock.now() + within)

    def kill(self) -> None:
        """End the incarnation now: cancel it, and again if its clean-up doesn't end."""
        if self.is_down:
            return
        self._was_killed = True
        # A handler that swallows its cancellation ends all the same, with the next turn.
        self.exit(KILLED)
        if self.actor is not None and self._task is not None:  # else it has yet to begin
            self._task.cancel()
        self._kill_at(self.clock.now() + CLEAN_UP_TIME)

    def close(self, reason: ExitReason) -> None:
        """End for good: answer what still waits, tell the watchers, free the path."""
        if self.is_closed:
            return
        self.reason = reason
        self.is_closed = True
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
        self.mailbox.release()
        self.system.events.publish(ActorStarted, self.path, incarnation=self.incarnation)
        self._tell_parent(ChildStarted(self))

    def exit(self, reason: ExitReason) -> None:
        """Have the incarnation end, once the handler in hand has returned."""
        self._exit = reason
        self.mailbox.put_control(Envelope(Wake()))

    # -- one incarnation

    async def _run(self) -> None:
        reason = KILLED
        try:
            if not self._was_killed:
                reason = await self._live()
        except asyncio.CancelledError as error:
            # Cancelled by its own doing, say by awaiting a task that was: that is a failure.
            reason = KILLED if self._was_killed else failed(error)
        except Exception as error:
            reason = failed(error)
        finally:
            await self._end(reason)

    async def _live(self) -> ExitReason:
        self.actor = actor = self.factory()
        actor.context = Context(self)
        self.accepts, self.streams = actor.message_handlers, actor.stream_handlers
        self.mailbox.hold()
        await actor.on_start()
        if not actor.context.start_is_deferred:
            self.started()
        return await self._loop(actor)

    async def _loop(self, actor: Actor) -> ExitReason:
        mailbox, serving = self.mailbox, self.serving
        accepts, streams = actor.message_handlers, actor.stream_handlers
        burst = 0
        while True:
            envelope = mailbox.take()
            if envelope is None:
                await mailbox.wait()
                burst = 0
                continue
            table = streams if envelope.reply.__class__ is StreamReply else accepts
            handler = table.get(envelope.message.__class__)
            if handler is None:
                reason = self._signal(actor, envelope)
                if reason is not None:
                    return reason
            elif handler.is_plain:
                serving.call(actor, handler, envelope)
            else:
                await serving.serve(actor, handler, envelope)
            burst += 1
            if burst >= BURST:
                burst = 0
                await asyncio.sleep(0)

    def _signal(self, actor: Actor, envelope: Envelope) -> ExitReason | None:
        """Heed a control message of the runtime's own; give the reason to end, or None."""
        message = envelope.message
        match message:
            case Stop():
                self.serving.drain()
                self._enter(CellState.STOPPING)
                if actor.on_shutdown(message.reason):
                    self._stop = message.reason
            case Crash():
                raise message.error
            case ChildExited():
                self._child_exited(message)
            case Wake() | ChildStarted() | Terminated():
                pass
            case _ if envelope.reply is not None:
                known = {**actor.message_handlers, **actor.stream_handlers}
                envelope.reply.fail(UnknownMessage(self.path, message, known))
            case _:
                self.dead_letters.add(self.path, message, "no handler")
        if self._exit is None and self._stop is not None and self.serving.is_idle:
            return self._stop
        return self._exit

    def _child_exited(self, message: ChildExited) -> None:
        # A plain actor's children are linked to it, as by OTP's spawn_link.
        child: Cell = message.child
        child.close(message.reason)
        if message.reason.is_abnormal and self._stop is None:
            raise ChildFailed(child.path, message.reason.error)

    # -- the end of an incarnation

    async def _end(self, reason: ExitReason) -> None:
        """Clean up after an incarnation; whatever happens here, the parent is told."""
        self._enter(CellState.STOPPING)
        self.reason = reason
        try:
            reason = await self._clean_up(reason)
        finally:
            self.actor = None
            self._report(reason)

    async def _clean_up(self, reason: ExitReason) -> ExitReason:
        for step in (self.serving.end, self._tell_actor, self._end_children):
            try:
                await step(reason)
            except asyncio.CancelledError:
                reason = reason if reason.is_abnormal else KILLED
            except Exception as error:
                reason = reason if reason.is_abnormal else failed(error)
        return reason

    async def _tell_actor(self, reason: ExitReason) -> None:
        actor = self.actor
        if actor is not None and hasattr(actor, "context"):
            actor.context.cancel_timers()
            await actor.on_stop(reason)

    async def _end_children(self, reason: ExitReason) -> None:
        """Kill the children that are left, the last one first; a supervisor has left none."""
        for child in reversed(tuple((self.children or {}).values())):
            child.kill()
            while not child.is_down:
                assert child._task is not None
                try:
                    await asyncio.wait([child._task])
                except asyncio.CancelledError:
                    child.kill()  # we were told to hurry
            child.close(reason)

    def _report(self, reason: ExitReason) -> None:
        self._call_off_kill()
        self.reason = reason
        self._enter(CellState.DOWN)
        if reason.is_abnormal:
            said = describe(reason.error) if reason.error else str(reason)
            self.system.events.publish(ActorFailed, self.path, error=said)
            self.system.log_failure(self.path, reason)
        else:
            self.system.events.publish(ActorStoppedEvent, self.path, reason=str(reason))
        self._tell_parent(ChildExited(self, reason))

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

    def _kill_at(self, when: float) -> None:
        self._call_off_kill()
        self._kill_timer = self.clock.call_at(when, self.kill)

    def _call_off_kill(self) -> None:
        if self._kill_timer is not None:
            self._kill_timer.cancel()
            self._kill_timer = None

    def __repr__(self) -> str:
        return f"<Cell {self.path} {self.state.value} #{self.incarnation} {self.mailbox!r}>"
