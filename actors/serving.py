"""How a cell serves messages: the one in hand, interleaving ones, and answers that come later."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import math
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NoReturn

import anyio

from failsoft.actors.drive import drive
from failsoft.actors.errors import ActorStopped, StashFull
from failsoft.actors.exit import ExitReason
from failsoft.actors.mailbox import Envelope
from failsoft.actors.misuse import NotAwaited
from failsoft.actors.reply import Reply, StreamReply
from failsoft.actors.signals import Wake
from failsoft.actors.stash import PutAside, Stash
from failsoft.messages import InferenceError

if TYPE_CHECKING:
    from failsoft.actors.actor import Actor
    from failsoft.actors.cell import Cell
    from failsoft.actors.handlers import Handler


class Serving:
    """Keep account of what a cell has in hand, so that each answer owed is given.

    handled, failed, expired: messages so far: dealt with, ended by an error of the actor's, and
    given up because nobody waited for the answer any more.
    """

    __slots__ = (
        "_began",
        "_cell",
        "_deferrable",
        "_in_hand",
        "_is_ending",
        "_jobs",
        "_owed",
        "_stash",
        "expired",
        "failed",
        "handled",
    )

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        # Made when first used: most actors have neither.
        self._jobs: dict[asyncio.Task[None], Envelope] | None = None
        self._owed: set[Reply[Any]] | None = None
        self._in_hand: Envelope | None = None
        self._deferrable: Envelope | None = None
        self._is_ending = False
        self._began = 0.0
        self._stash: Stash | None = None
        self.handled = 0
        self.failed = 0
        self.expired = 0

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is in hand."""
        return not self._jobs and not self._owed

    @property
    def is_full(self) -> bool:
        """Tell whether no more handlers may interleave."""
        actor, jobs = self._cell.actor, self._jobs
        return actor is not None and bool(jobs) and len(jobs or ()) >= actor.max_interleaved

    @property
    def interleaving(self) -> int:
        """Count the handlers that run side by side."""
        return len(self._jobs or ())

    @property
    def owed(self) -> int:
        """Count the deferred answers that have yet to be given."""
        return len(self._owed or ())

    @property
    def busy_since(self) -> float | None:
        """Give when the handler in hand began to await; None where there is none."""
        return None if self._in_hand is None else self._began

    def has_beside(self, reply: Reply[Any]) -> bool:
        """Tell whether an answer is deferred, or in an interleaving handler's hand."""
        jobs = self._jobs or {}
        return reply in (self._owed or ()) or any(e.reply is reply for e in jobs.values())

    def defer(self) -> Reply[Any]:
        """Take over the answer to the message in hand; it is owed until it is given."""
        envelope = self._deferrable
        if envelope is None:
            raise RuntimeError("defer() is for plain handlers, while they handle a message")
        reply = envelope.reply
        if reply is None:  # it came by tell: the answer goes nowhere
            reply = Reply(self._cell, math.inf, self._cell.clock.now())
        if self._owed is None:
            self._owed = set()
        self._owed.add(reply)
        reply.when_closed(lambda: self._settled(reply))
        return reply

    @property
    def stashed(self) -> int:
        """Count the messages that are put aside."""
        return 0 if self._stash is None else len(self._stash)

    def stash(self) -> NoReturn:
        """Leave the handler in hand, and put its message aside."""
        envelope = self._deferrable or self._in_hand
        if envelope is None or asyncio.current_task() is not self._cell.task:
            raise RuntimeError(
                "stash() is for handlers that don't interleave, while they handle a message"
            )
        if self._stash is None:
            assert self._cell.actor is not None
            self._stash = Stash(self._cell.actor.stash_bound)
        if self._stash.is_full:
            raise StashFull(self._cell.path, self._stash.bound, envelope.message)
        raise PutAside(envelope)

    def unstash(self) -> None:
        """Put all that was put aside back to the front of the mailbox."""
        if self._stash is not None:
            self._cell.mailbox.put_back(self._stash.take_all())
            self._stash = None  # a new incarnation may have another bound

    def call(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        """Serve a message whose handler is a plain method: no coroutine, the hot path.

        An exception that comes out of it ends the actor.
        """
        reply = envelope.reply
        if reply is not None and reply.answer.done():
            self.expired += 1  # the asker has gone, or its deadline has passed
            return
        context = envelope.context
        if context is None:
            context = contextvars.copy_context()
        self._deferrable = envelope
        try:
            result = context.run(handler.method, actor, envelope.message)
            if result is not None and result.__class__ is CoroutineType:
                raise self._not_awaited(handler, result)
        except BaseException as error:  # a CancelledError too: it was raised, not delivered
            if not self._is_answer(reply, error):
                raise
        else:
            self.handled += 1
            if reply is not None and not isinstance(result, Reply):
                reply.set(result)
        finally:
            self._deferrable = None

    async def serve(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        """Serve a message whose handler may await. What comes out of it ends the actor."""
        reply = envelope.reply
        if reply is not None and not reply.is_open:
            self.expired += 1
            return
        if handler.interleave:
            self._start_job(actor, handler, envelope)
            return
        context = envelope.context
        if context is None:
            context = contextvars.copy_context()
        self._in_hand = envelope  # and there it stays where the handler is cancelled
        self._began = self._cell.clock.now()
        try:
            await drive(self._answer(actor, handler, envelope), context)
        except (Exception, PutAside) as error:
            self._in_hand = None
            if not self._is_answer(reply, error):
                raise
        else:
            self._in_hand = None

    async def end(self, reason: ExitReason) -> None:
        """Answer or bury all that is in hand; cancel what interleaves, and wait for it."""
        self._is_ending = True
        self.unstash()
        for reply in tuple(self._owed or ()):
            reply.fail(self._ended(reason))
        if self._in_hand is not None:
            self._give_up(self._in_hand, reason)
            self._in_hand = None
        jobs = self._jobs or {}
        for job, envelope in tuple(jobs.items()):
            if not job.done():
                self._give_up(envelope, reason)
        while jobs:
            for job in jobs:
                job.cancel()
            try:
                await asyncio.wait(jobs)
            except asyncio.CancelledError:
                continue  # the actor is killed: so are they, once more
        self._is_ending = False

    async def _answer(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        """Have the message handled; where it says it may be, until nobody waits any more."""
        reply = envelope.reply
        if reply is None or not handler.cancellable:
            result = await self._handle(actor, handler, envelope)
        else:
            with anyio.CancelScope() as scope:
                reply.when_closed(scope.cancel)
                result = await self._handle(actor, handler, envelope)
            if scope.cancelled_caught:
                self.expired += 1
                return
        self.handled += 1
        if reply is not None and not isinstance(result, Reply):
            reply.set(result)

    async def _handle(self, actor: Actor, handler: Handler, envelope: Envelope) -> Any:
        if not handler.is_stream:
            return await handler.method(actor, envelope.message)
        reply = envelope.reply
        assert isinstance(reply, StreamReply)
        chunks = handler.method(actor, envelope.message)
        try:
            async for chunk in chunks:
                if not await reply.send(chunk):
                    return reply  # the reader has left
        finally:
            with anyio.CancelScope(shield=True):
                await chunks.aclose()
        return None

    # -- what interleaves

    def _start_job(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        job = self._cell.system.create_task(
            self._run_job(actor, handler, envelope), self._cell, envelope.context
        )
        if self._jobs is None:
            self._jobs = {}
        self._jobs[job] = envelope
        # By callback: a task that is cancelled before its first step never runs a ``finally``.
        job.add_done_callback(self._job_done)
        if len(self._jobs) >= actor.max_interleaved:
            self._cell.regulate()

    async def _run_job(self, actor: Actor, handler: Handler, envelope: Envelope) -> None:
        try:
            await self._answer(actor, handler, envelope)
        except asyncio.CancelledError as error:
            if not self._is_ending:  # by its own doing, say by awaiting what was cancelled
                self._is_answer(envelope.reply, error)
                self._cell.crash(error)
        except Exception as error:
            if not self._is_answer(envelope.reply, error):
                self._cell.crash(error)

    def _job_done(self, job: asyncio.Task[None]) -> None:
        assert self._jobs is not None
        del self._jobs[job]
        self._cell.regulate()
        self._wake_if_idle()

    # -- answers

    def _not_awaited(self, handler: Handler, result: CoroutineType[Any, Any, Any]) -> NotAwaited:
        result.close()
        return NotAwaited(self._cell.path, handler.method.__qualname__)

    def _is_answer(self, reply: Reply[Any] | None, error: BaseException) -> bool:
        """Give the error to the asker; tell whether it is an answer, and no failure."""
        if isinstance(error, PutAside):
            assert self._stash is not None
            self._stash.put(error.envelope)
            return True
        if isinstance(error, StashFull) and error.path == self._cell.path and reply is None:
            self._cell.dead_letters.add(error.path, error.message, "stash full")
            return True
        if reply is not None and reply.is_open:
            reply.fail(error)
        if reply is not None and getattr(error, "is_refusal", False):
            self.handled += 1
            return True
        self.failed += 1
        return False

    def _give_up(self, envelope: Envelope, reason: ExitReason) -> None:
        self.failed += 1
        if envelope.reply is None:
            self._cell.undelivered(envelope, "given up")
        elif envelope.reply.is_open:
            envelope.reply.fail(self._ended(reason))

    def _ended(self, reason: ExitReason) -> Exception:
        """Make the error for one whose request was in hand when the actor ended."""
        if not isinstance(reason.error, InferenceError):
            return ActorStopped(self._cell.path, str(reason))
        error = copy.copy(reason.error)  # each asker may add to its own
        error.details = dict(error.details)
        return error

    def _settled(self, reply: Reply[Any]) -> None:
        assert self._owed is not None
        self._owed.discard(reply)
        self._wake_if_idle()

    def _wake_if_idle(self) -> None:
        if self._cell.is_stopping and self.is_idle:
            self._cell.mailbox.put_control(Envelope(Wake()))
