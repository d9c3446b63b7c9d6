"""How a cell serves messages: the one in hand, interleaving ones, and answers that come later."""

from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import anyio
from failsoft.actors.drive import drive
from failsoft.actors.errors import ActorStopped
from failsoft.actors.exit import ExitReason
from failsoft.actors.mailbox import Envelope
from failsoft.actors.reply import Reply, StreamReply
from failsoft.actors.signals import Crash, Wake
from failsoft.messages import InferenceError

if TYPE_CHECKING:
    from failsoft.actors.actor import Actor
    from failsoft.actors.cell import Cell
    from failsoft.actors.handlers import Handler


class Serving:
    """Keep account of what a cell has in hand, so that each answer owed is given."""

    __slots__ = (
        "_cell",
        "_is_draining",
        "_is_held",
        "_jobs",
        "_owed",
        "current",
        "expired",
        "failed",
        "handled",
    )

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        # Made when first used: most actors have neither.
        self._jobs: set[asyncio.Task[None]] | None = None
        self._owed: set[Reply[Any]] | None = None
        self._is_held = False
        self._is_draining = False
        self.current: Envelope | None = None
        self.handled = 0
        self.failed = 0
        self.expired = 0

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is in hand."""
        return not self._jobs and not self._owed

    def drain(self) -> None:
        """Take no more work in this incarnation."""
        self._is_draining = True
        self._cell.mailbox.hold()

    def defer(self) -> Reply[Any]:
        """Take over the answer to the message in hand; it is owed until it is given."""
        envelope = self.current
        if envelope is None or envelope.reply is None:
            raise RuntimeError("there is no answer to defer: the message came by tell")
        reply = envelope.reply
        if self._owed is None:
            self._owed = set()
        self._owed.add(reply)
        reply.when_closed(lambda: self._settled(reply))
        return reply

    def call(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        """Serve a message whose handler is a plain method: no coroutine, the hot path.

        An exception that comes out of it ends the actor.
        """
        reply = envelope.reply
        if reply is not None and not reply.is_open:
            self.expired += 1  # the asker has gone, or its deadline has passed
            return
        self.current = envelope
        try:
            context = envelope.context or contextvars.copy_context()
            result = context.run(handler.method, actor, envelope.message)
        except Exception as error:
            if not self._is_answer(reply, error):
                raise
        else:
            self.handled += 1
            if reply is not None and not isinstance(result, Reply):
                reply.set(result)
        finally:
            self.current = None

    async def serve(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        """Serve a message whose handler may await. What comes out of it ends the actor."""
        reply = envelope.reply
        if reply is not None and not reply.is_open:
            self.expired += 1
            return
        if handler.interleave:
            self._start_job(actor, handler, envelope)
            return
        self.current = envelope
        try:
            context = envelope.context or contextvars.copy_context()
            await drive(self._answer(actor, handler, envelope), context)
        except asyncio.CancelledError:
            self._killed(reply)
            raise
        except Exception as error:
            if not self._is_answer(reply, error):
                raise
        finally:
            self.current = None

    async def end(self, reason: ExitReason) -> None:
        """Give every answer still owed; cancel what interleaves, and wait for it."""
        error = reason.error if isinstance(reason.error, InferenceError) else None
        for reply in tuple(self._owed or ()):
            reply.fail(error or ActorStopped(self._cell.path, str(reason)))
        jobs = self._jobs
        try:
            while jobs:
                for job in jobs:
                    job.cancel()
                await asyncio.wait(jobs)
        finally:
            self._is_draining = self._is_held = False

    async def _answer(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        reply = envelope.reply
        if handler.is_stream:
            assert isinstance(reply, StreamReply)
            await self._answer_stream(actor, handler, envelope.message, reply)
        elif handler.cancellable and reply is not None:
            with anyio.CancelScope() as scope:
                reply.when_closed(scope.cancel)
                await self._answer_once(actor, handler, envelope)
        else:
            await self._answer_once(actor, handler, envelope)

    async def _answer_once(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        result = await handler.method(actor, envelope.message)
        self.handled += 1
        if envelope.reply is not None and not isinstance(result, Reply):
            envelope.reply.set(result)

    async def _answer_stream(
        self, actor: Actor, handler: Handler, message: Any, reply: StreamReply
    ) -> None:
        chunks = handler.method(actor, message)
        with anyio.CancelScope() as scope:
            if handler.cancellable:
                reply.when_closed(scope.cancel)
            try:
                async for chunk in chunks:
                    if not await reply.send(chunk):
                        break
            finally:
                with anyio.CancelScope(shield=True):
                    await chunks.aclose()
            self.handled += 1
            if reply.is_open:
                reply.set(None)

    def _start_job(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        job = self._cell.system.create_task(
            self._run_job(actor, handler, envelope), envelope.context
        )
        if self._jobs is None:
            self._jobs = set()
        self._jobs.add(job)
        if len(self._jobs) >= actor.max_interleaved:
            self._cell.mailbox.hold()
            self._is_held = True

    async def _run_job(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        try:
            await self._answer(actor, handler, envelope)
        except asyncio.CancelledError:
            self._killed(envelope.reply)
        except Exception as error:
            if not self._is_answer(envelope.reply, error):
                self._cell.mailbox.put_control(Envelope(Crash(error)))
        finally:
            self._job_done()

    def _job_done(self) -> None:
        assert self._jobs is not None
        self._jobs.discard(asyncio.current_task())
        if self._is_held and not self._is_draining:
            self._is_held = False
            self._cell.mailbox.release()
        self._wake_if_idle()

    def _is_answer(self, reply: Reply[Any] | None, error: Exception) -> bool:
        """Give the error to the asker; tell whether it is an answer, and no failure."""
        if reply is not None and reply.is_open:
            reply.fail(error)
        if isinstance(error, InferenceError) and error.is_refusal and reply is not None:
            self.handled += 1
            return True
        self.failed += 1
        return False

    def _killed(self, reply: Reply[Any] | None) -> None:
        if reply is not None and reply.is_open:
            reply.fail(ActorStopped(self._cell.path, "killed"))

    def _settled(self, reply: Reply[Any]) -> None:
        assert self._owed is not None
        self._owed.discard(reply)
        self._wake_if_idle()

    def _wake_if_idle(self) -> None:
        if self._is_draining and self.is_idle:
            self._cell.mailbox.put_control(Envelope(Wake()))
