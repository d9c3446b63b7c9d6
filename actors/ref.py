"""Ref: the way to an actor. It stays good while the actor is restarted."""

from __future__ import annotations

import asyncio
import math
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from failsoft.actors.ask_cycle import Waiting
from failsoft.actors.errors import ActorError
from failsoft.actors.mailbox import Envelope
from failsoft.actors.reply import DEFAULT_STREAM_BOUND, Reply, Stream, StreamReply
from failsoft.actors.request_context import deadline_var
from failsoft.messages import InferenceTimeout, Message, Request, Streamed

if TYPE_CHECKING:
    from failsoft.actors.address import Address
    from failsoft.actors.handlers import Handler
    from failsoft.actors.statistics import ActorStatistics

AnswerT = TypeVar("AnswerT")
ChunkT = TypeVar("ChunkT")


class Ref:
    """Send to an actor: ``tell`` (no answer), ``ask`` (one answer), ``stream`` (chunks).

    None of them blocks: a full mailbox raises MailboxFull at the sender. A message type that
    the actor has no handler for raises UnknownMessage.
    """

    __slots__ = ("_address",)

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def path(self) -> str:
        return self._address.path

    @property
    def address(self) -> Address:
        """Give what is behind the ref: for the runtime."""
        return self._address

    @property
    def is_alive(self) -> bool:
        """Tell whether the actor may yet handle messages; one that is being restarted may."""
        return not self._address.is_closed

    def statistics(self) -> ActorStatistics:
        """Count what the actor has done so far, and has before it."""
        return self._address.statistics()

    def tell(self, message: Message) -> None:
        """Send without an answer. To a stopped actor it is a dead letter."""
        # The hot path: one look-up says that the message is known, and that it is mere work.
        address = self._address
        handler = address.accepts.get(message.__class__)
        envelope = Envelope(message, None, copy_context())
        if handler is None or handler.is_control:
            address.put_rare(envelope)
        elif (dropped := address.mailbox.put(envelope)) is not None:
            address.overflowed(dropped)

    async def ask(
        self,
        request: Request[AnswerT],
        *,
        timeout: float | None = None,  # noqa: ASYNC109  (the deadline travels; a scope would not)
        deadline: float | None = None,
    ) -> AnswerT:
        """Send and wait for the answer.

        timeout: seconds from now. deadline: a time on the system's clock. With neither, the
        deadline of the request in hand is taken over, else the system's ``ask_timeout``
        counts; where there are several, the earliest.
        Raise InferenceTimeout at the deadline, ActorStopped where the actor ended first,
        AskCycle where it waits for the asker's own answer, MailboxFull, UnknownMessage, and
        whatever the handler raised. Nothing is sent before it is awaited.
        """
        address = self._address
        handler = address.accepts.get(request.__class__)
        if handler is None:
            address.check(request)
        now = address.clock.now()
        reply: Reply[AnswerT] = Reply(address, self._deadline(now, timeout, deadline), now)
        asker = address.system.asker()
        try:
            if asker is None:
                self._post(request, reply, handler)
                return await reply.answer
            with Waiting(asker, address, reply):
                self._post(request, reply, handler)
                return await reply.answer
        except asyncio.CancelledError:
            reply.abandon()
            raise

    def stream(
        self,
        request: Streamed[ChunkT],
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        bound: int = DEFAULT_STREAM_BOUND,
    ) -> Stream[ChunkT]:
        """Send and give the stream of chunks; at most ``bound`` of them wait for their reader.

        The deadline is that of the whole stream, found as for ``ask``.
        """
        address = self._address
        handler = address.streams.get(request.__class__)
        if handler is None:
            address.check(request, "streams")
        now = address.clock.now()
        reply = StreamReply(address, self._deadline(now, timeout, deadline), now, bound)
        self._post(request, reply, handler)
        return Stream(reply)

    def _deadline(self, now: float, timeout: float | None, deadline: float | None) -> float:
        ends = deadline_var.get()
        if timeout is not None:
            ends = min(now + timeout, ends)
        if deadline is not None:
            ends = min(deadline, ends)
        if ends == math.inf and timeout is None and deadline is None:
            ends = now + self._address.system.ask_timeout
        if not ends > now:
            if math.isnan(ends):
                raise ValueError("timeout and deadline must be numbers of seconds; one is NaN")
            raise InferenceTimeout.after(max(0.0, timeout or 0.0))
        return ends

    def _post(self, request: Message, reply: Reply[Any], handler: Handler | None) -> None:
        address = self._address
        context = copy_context()
        context.run(deadline_var.set, reply.deadline)
        envelope = Envelope(request, reply, context)
        try:
            if handler is None or handler.is_control:
                address.put_rare(envelope)
            elif (dropped := address.mailbox.put(envelope)) is not None:
                address.overflowed(dropped)
        except ActorError:
            reply.abandon()
            raise

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._address is self._address

    def __hash__(self) -> int:
        return hash(id(self._address))

    def __repr__(self) -> str:
        return f"<Ref {self.path}{' closed' if self._address.is_closed else ''}>"
