"""Ref: the way to an actor. It stays good while the actor is restarted."""

from __future__ import annotations

import contextvars
import math
from typing import TYPE_CHECKING, Any, TypeVar

from failsoft.actors.errors import ActorStopped, MailboxFull, UnknownMessage
from failsoft.actors.mailbox import Envelope
from failsoft.actors.reply import DEFAULT_STREAM_BOUND, Reply, Stream, StreamReply
from failsoft.actors.request_context import deadline_var
from failsoft.messages import InferenceTimeout, Message, Request, Streamed

if TYPE_CHECKING:
    from failsoft.actors.address import Address

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

    def tell(self, message: Message) -> None:
        """Send without an answer. To a stopped actor it is a dead letter."""
        address = self._address
        address.check(message)
        if address.is_closed:
            address.dead_letters.add(address.path, message, "actor stopped")
            return
        address.put(Envelope(message, None, contextvars.copy_context()))

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
        MailboxFull, UnknownMessage, and whatever the handler raised.
        """
        address = self._address
        address.check(request)
        ends = self._deadline(timeout, deadline)
        reply: Reply[AnswerT] = Reply(address.clock, ends, address.late_answer)
        self._post(request, reply)
        return await reply.wait()

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
        if address.streams is not None and type(request) not in address.streams:
            raise UnknownMessage(address.path, request, address.streams, "streams")
        ends = self._deadline(timeout, deadline)
        reply = StreamReply(address.clock, ends, address.late_answer, bound)
        self._post(request, reply)
        return Stream(reply)

    def _deadline(self, timeout: float | None, deadline: float | None) -> float:
        address = self._address
        ends = deadline_var.get()
        now = address.clock.now()
        if timeout is not None:
            ends = min(ends, now + timeout)
        if deadline is not None:
            ends = min(ends, deadline)
        if timeout is None and deadline is None and ends == math.inf:
            ends = now + address.system.ask_timeout
        if ends <= now:
            raise InferenceTimeout.after(max(0.0, timeout or 0.0))
        return ends

    def _post(self, request: Message, reply: Reply[Any]) -> None:
        address = self._address
        if address.is_closed:
            reply.abandon()
            raise ActorStopped(address.path, str(address.reason))
        context = contextvars.copy_context()
        context.run(deadline_var.set, reply.deadline)
        try:
            address.put(Envelope(request, reply, context))
        except MailboxFull:
            reply.abandon()
            raise

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._address is self._address

    def __hash__(self) -> int:
        return hash(id(self._address))

    def __repr__(self) -> str:
        return f"<Ref {self.path}{' closed' if self._address.is_closed else ''}>"
