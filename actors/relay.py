"""Passing a request on: what an actor in the middle needs, which must not wait for the answer.

The one in the middle owes an answer upstream (``Context.defer``) and asks downstream. Nothing
waits in between: the answer comes by a callback, and the chunks of a stream go straight through,
so that the reader upstream is the one whose pace the producer heeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

from failsoft.actors.errors import ActorStopped
from failsoft.actors.mailbox import Envelope
from failsoft.actors.reply import Reply, StreamReply

if TYPE_CHECKING:
    from failsoft.actors.ref import Ref
    from failsoft.messages import Message

# Give a chunk as it is to go upstream; None where the stream downstream is to end.
PassOn = Callable[[Any], Any]


class RelayedStream(StreamReply):
    """Be the slot downstream of a stream whose chunks go to ``upstream``, which has the bound."""

    __slots__ = ("_pass_on", "_upstream")

    def __init__(self, ref: Ref, upstream: StreamReply, pass_on: PassOn) -> None:
        super().__init__(ref.address, math.inf, upstream.asked_at)
        self.deadline = upstream.deadline
        self._upstream = upstream
        self._pass_on = pass_on

    async def send(self, chunk: Any) -> bool:
        # First of all: what has been passed on has to be the reader's, whatever happens here.
        if self.is_open:
            await self._upstream.room()
        return self.push(chunk)

    async def room(self) -> None:
        await self._upstream.room()

    def push(self, chunk: Any) -> bool:
        passed = self._pass_on(chunk) if self.is_open else None
        return passed is not None and self._upstream.push(passed)


def forward(
    ref: Ref,
    request: Message,
    upstream: Reply[Any],
    context: Context,
    pass_on: PassOn | None,
) -> Reply[Any]:
    """Send ``request`` on to ``ref`` for the answer owed ``upstream``; give the slot downstream.

    The sender has itself told of its end, ``Reply.when_closed``: answered, failed or abandoned.

    Its deadline is that of ``upstream``, whose owner calls it off then: it has no timer of its own.
    pass_on: for a stream, which stays one: it gets each chunk. None for a single answer.
    context: what the request has bound; the handler runs in a copy of it.
    Raise MailboxFull, ActorStopped or UnknownMessage where it can't be sent.
    """
    address = ref.address
    if address.is_closed:
        raise ActorStopped(address.path, str(address.reason))
    reply: Reply[Any]
    if pass_on is None:
        handler = address.accepts.get(request.__class__)
        reply = Reply(address, math.inf, upstream.asked_at)
        reply.deadline = upstream.deadline
    else:
        assert isinstance(upstream, StreamReply)
        handler = address.streams.get(request.__class__)
        reply = RelayedStream(ref, upstream, pass_on)
    if handler is None:
        address.check(request, "handles" if pass_on is None else "streams")
    envelope = Envelope(request, reply, context.copy())
    if handler is None or handler.is_control:
        address.put(envelope)
    elif (dropped := address.mailbox.put(envelope)) is not None:
        address.overflowed(dropped)
    return reply
