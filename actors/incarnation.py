"""An incarnation is one life of an actor: one instance, in one task, until its clean-up is done."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import structlog

from failsoft.actors.actor import Actor
from failsoft.actors.context import Context
from failsoft.actors.errors import ChildFailed, UnknownMessage
from failsoft.actors.exit import KILLED, SHUTDOWN, ExitReason, failed
from failsoft.actors.mailbox import Envelope
from failsoft.actors.misuse import ActorInUse
from failsoft.actors.reply import StreamReply
from failsoft.actors.signals import ChildExited, Crash, Signal, Stop, Wake

if TYPE_CHECKING:
    from failsoft.actors.cell import Cell
    from failsoft.actors.clock import Timer

log = structlog.get_logger("failsoft.actors")

# Messages handled in a row before other tasks get a turn.
BURST = 64
# Seconds that the clean-up of a failed or killed actor may take before it is cancelled (again).
CLEAN_UP_TIME = 5.0


class Incarnation:
    """Run an actor from its making to the end of its clean-up, and tell its cell of it.

    It ends by a reason that ``_loop`` gives, by an error, or by being called off: its task is
    cancelled, and the reason for that is kept, since asyncio would not tell it.
    """

    __slots__ = (
        "_called_off",
        "_cell",
        "_exit",
        "_kill_due",
        "_kill_timer",
        "_stop",
        "is_starting",
        "task",
    )

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._called_off: ExitReason | None = None
        self._exit: ExitReason | None = None
        self._stop: ExitReason | None = None
        self.is_starting = True
        self._kill_timer: Timer | None = None
        self._kill_due = math.inf
        self.task = cell.system.create_task(self._run(), cell)

    # -- told from outside

    def stop(self, reason: ExitReason, within: float) -> None:
        """End once what is in hand is done; at once where that is the start. Kill at ``within``."""
        if within <= 0:
            if self._called_off is not KILLED:
                self.kill()
            return
        self._cell.mailbox.put_control(Envelope(Stop(reason)))
        if self.is_starting:
            self._call_off(reason)
        self._kill_at(within)

    def kill(self) -> None:
        """Cancel whatever it is at; a handler or clean-up that goes on is cancelled again."""
        if self._called_off is KILLED:
            log.warning("actor.resists_cancellation", path=self._cell.path)
        # A handler that swallows its cancellation ends all the same, with the next turn.
        self.exit(KILLED)
        self._call_off(KILLED)
        self._call_off_kill()
        self._kill_at(CLEAN_UP_TIME)

    def exit(self, reason: ExitReason) -> None:
        """End once the handler in hand has returned."""
        if self._exit is not KILLED:
            self._exit = reason
        self._cell.mailbox.put_control(Envelope(Wake()))

    def _call_off(self, reason: ExitReason) -> None:
        if self._called_off is None or reason is KILLED:
            self._called_off = reason
        if self._cell.actor is not None:  # else the task has yet to begin, and will see it
            self.task.cancel()

    # -- its life

    async def _run(self) -> None:
        reason = KILLED
        try:
            if self._called_off is None:
                actor = self._make_actor()
                await actor.on_start()
                self.is_starting = False
                if not actor.context.start_is_deferred:
                    self._cell.started()
                reason = await self._loop(actor)
            else:
                reason = self._called_off
        except asyncio.CancelledError as error:
            reason = self._called_off or _reason_of(error)
        except Exception as error:
            reason = failed(error)
        finally:
            await self._end(reason)

    def _make_actor(self) -> Actor:
        cell = self._cell
        actor = cell.factory()
        if not isinstance(actor, Actor):
            raise TypeError(f"the factory of {cell.path} gave no Actor but: {actor!r}")
        place: Context | None = getattr(actor, "context", None)
        if place is not None and not place.is_over:
            raise ActorInUse(cell.path, place.path)
        actor.context = Context(cell)
        cell.embody(actor)
        return actor

    async def _loop(self, actor: Actor) -> ExitReason:
        """Handle messages, control before work, until there is a reason to end."""
        mailbox, serving = self._cell.mailbox, self._cell.serving
        accepts, streams = actor.message_handlers, actor.stream_handlers
        loop = self._cell.system.loop
        while True:
            for _ in range(BURST):
                envelope = mailbox.take()
                if envelope is None:
                    await mailbox.wait(loop)
                    break
                reply = envelope.reply
                if reply is not None and isinstance(reply, StreamReply):
                    handler = streams.get(envelope.message.__class__)
                else:
                    handler = accepts.get(envelope.message.__class__)
                if handler is None:
                    reason = self._heed(actor, envelope)
                    if reason is not None:
                        return reason
                elif handler.is_plain:
                    serving.call(actor, handler, envelope)
                else:
                    await serving.serve(actor, handler, envelope)
            else:
                await asyncio.sleep(0)

    def _heed(self, actor: Actor, envelope: Envelope) -> ExitReason | None:
        """Heed a message without a handler, most often a signal; give the reason to end."""
        message = envelope.message
        match message:
            case Stop():
                self._shut_down(actor, message.reason)
            case Crash():
                raise message.error
            case ChildExited():
                self._child_exited(message)
            case Signal():
                pass
            case _ if envelope.reply is not None:
                known = {**actor.message_handlers, **actor.stream_handlers}
                envelope.reply.fail(UnknownMessage(self._cell.path, message, known))
            case _:
                self._cell.dead_letters.add(self._cell.path, message, "no handler")
        if self._exit is None and self._stop is not None and self._cell.serving.is_idle:
            return self._stop
        return self._exit

    def _shut_down(self, actor: Actor, reason: ExitReason) -> None:
        if self._cell.is_stopping:
            return  # it has been asked before
        self._cell.stopping()
        if actor.on_shutdown(reason):
            self._stop = reason

    def _child_exited(self, message: ChildExited) -> None:
        # A plain actor's children are linked to it, as by OTP's spawn_link.
        child: Cell = message.child
        child.close(message.reason)
        if message.reason.is_abnormal and not self._cell.is_stopping:
            raise ChildFailed(child.path, message.reason.error)

    # -- its end

    async def _end(self, reason: ExitReason) -> None:
        """Clean up; whatever happens here, the cell is told."""
        self.is_starting = False
        self._cell.ending(reason)
        if reason.is_abnormal:
            self._kill_at(CLEAN_UP_TIME)
        try:
            reason = await self._clean_up(reason)
        finally:
            self._call_off_kill()
            self._cell.ended(reason)

    async def _clean_up(self, reason: ExitReason) -> ExitReason:
        for step in (self._cell.serving.end, self._tell_actor, self._end_children):
            error: BaseException | None = None
            try:
                await step(reason)
            except asyncio.CancelledError as cancelled:
                error = cancelled
            except Exception as raised:
                error = raised
            if self._called_off is KILLED and not reason.is_abnormal:
                reason = KILLED
            elif error is not None and not reason.is_abnormal:
                reason = failed(error)
            elif error is not None and not isinstance(error, asyncio.CancelledError):
                self._cell.system.log_failure(self._cell.path, failed(error))  # the second one
        return reason

    async def _tell_actor(self, reason: ExitReason) -> None:
        actor = self._cell.actor
        if actor is None:
            return
        actor.context.cancel_timers()
        try:
            await actor.on_stop(reason)
        finally:
            actor.context.end()

    async def _end_children(self, reason: ExitReason) -> None:
        """End the children that are left, the last one first; a supervisor has left none."""
        children = tuple((self._cell.children or {}).values())[::-1]
        is_hurried = reason.is_abnormal
        if is_hurried:
            _kill(children)
        for child in children:
            if not is_hurried:
                child.stop(SHUTDOWN, child.shutdown_timeout)
            while (task := child.task) is not None:
                try:
                    await asyncio.wait([task])
                except asyncio.CancelledError:
                    is_hurried = True  # we were killed
                    _kill(children)
            child.close(child.reason)

    def _kill_at(self, within: float) -> None:
        """Have it killed in ``within`` seconds, where that isn't so earlier anyway."""
        clock = self._cell.clock
        when = clock.now() + within
        if when < self._kill_due:
            self._call_off_kill()
            self._kill_due = when
            self._kill_timer = clock.call_at(when, self.kill)

    def _call_off_kill(self) -> None:
        self._kill_due = math.inf
        if self._kill_timer is not None:
            self._kill_timer.cancel()
            self._kill_timer = None


def _reason_of(error: asyncio.CancelledError) -> ExitReason:
    """Tell a task that somebody cancelled, the loop's end say, from one that raised the error."""
    task = asyncio.current_task()
    return KILLED if task is not None and task.cancelling() else failed(error)


def _kill(cells: tuple[Cell, ...]) -> None:
    for cell in cells:
        cell.kill()
