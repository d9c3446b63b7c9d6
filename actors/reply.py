"""The one answer that an actor owes a caller: exactly one, whatever happens.

The two ends of it: the caller waits, for ``answer`` or for the chunks of a ``Stream``; the actor
sets. The first answer counts; a later one is reported as a dead letter, and raises nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from failsoft.messages import InferenceTimeout

if TYPE_CHECKING:
    from failsoft.actors.address import Address
    from failsoft.actors.clock import Timer

AnswerT = TypeVar("AnswerT")

DEFAULT_STREAM_BOUND = 64


class Reply(Generic[AnswerT]):
    """Be a slot for an answer, with a deadline.

    address: whose answer it is; an answer that comes when there was already one, or nobody to
        take it, is buried there.
    deadline, asked_at: on the system's clock; infinity for no deadline.
    """

    __slots__ = ("_address", "_callbacks", "_late", "_timer", "answer", "asked_at", "deadline")

    def __init__(self, address: Address, deadline: float, asked_at: float) -> None:
        self._address = address
        # Not by the loop's ``create_future``, which costs a call more.
        self.answer: asyncio.Future[AnswerT] = asyncio.Future(loop=address.system.loop)
        self._callbacks: list[Callable[[], object]] | None = None
        self.asked_at = asked_at
        self.deadline = deadline
        self._timer: Timer | None = None
        if deadline != math.inf:
            self._timer = address.clock.call_at(deadline, self._expire)

    @property
    def is_open(self) -> bool:
        """Tell whether an answer is still wanted."""
        return not self.answer.done()

    def set(self, value: AnswerT) -> bool:
        """Answer. Give False where the answer came too late."""
        if self.answer.done():
            self._address.late_answer(value)
            return False
        self.answer.set_result(value)
        if self._timer is not None or self._callbacks is not None:
            self._close()
        return True

    def fail(self, error: BaseException) -> bool:
        """Answer with an error. Give False where it came too late."""
        if self.answer.done():
            late = getattr(self, "_late", None)  # set where somebody wants to hear of it
            if late is not None:
                late(error)
            self._address.late_answer(error)
            return False
        if isinstance(error, (StopIteration, asyncio.CancelledError)):
            # A future can't carry the one, and the other would look like the asker's own.
            raised, error = error, RuntimeError(f"the handler raised {type(error).__name__}")
            error.__cause__ = raised
        self.answer.set_exception(error)
        self.answer.exception()  # a reader that has left must not cause a warning
        self._close()
        return True

    def abandon(self) -> None:
        """Go away: no answer is wanted any more."""
        self.answer.cancel()
        self._close()

    def abandon_soon(self) -> None:
        """Go away, said from any thread."""
        loop = self.answer.get_loop()
        if self.is_open and not loop.is_closed():
            loop.call_soon_threadsafe(self.abandon)

    def when_failed_late(self, callback: Callable[[BaseException], object]) -> None:
        """Have ``callback`` called with an error that comes after no answer is wanted any more."""
        self._late = callback

    def when_closed(self, callback: Callable[[], object]) -> None:
        """Have ``callback`` called once no answer is wanted any more, for whatever reason."""
        if self.answer.done():
            callback()
        elif self._callbacks is None:
            self._callbacks = [callback]
        else:
            self._callbacks.append(callback)

    def _expire(self) -> None:
        self._timer = None
        if not self.answer.done():
            self.fail(InferenceTimeout.after(self.deadline - self.asked_at))

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._callbacks is not None:
            callbacks, self._callbacks = self._callbacks, None
            for callback in callbacks:
                callback()


class StreamReply(Reply[None]):
    """Be a slot for chunks and one end.

    At most ``bound`` chunks wait for the reader. ``send`` waits at the bound. ``push``, for
    producers that can't wait, joins the chunk with the last one there (``chunk.merge(later)``),
    so that a slow reader gets fewer and longer chunks and nothing is lost.
    """

    __slots__ = ("_bound", "_chunks", "_reader", "_writer")

    def __init__(
        self,
        address: Address,
        deadline: float,
        asked_at: float,
        bound: int = DEFAULT_STREAM_BOUND,
    ) -> None:
        super().__init__(address, deadline, asked_at)
        self._bound = bound
        self._chunks: deque[Any] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self.when_closed(self._wake_both)

    async def send(self, chunk: Any) -> bool:
        """Give the reader a chunk; wait while the bound is reached. False: nobody reads."""
        await self.room()
        return self.push(chunk)

    async def room(self) -> None:
        """Wait while the bound is reached and somebody reads."""
        while len(self._chunks) >= self._bound and self.is_open:
            self._writer = self._address.system.loop.create_future()
            await self._writer

    def push(self, chunk: Any) -> bool:
        """Give the reader a chunk now. False: nobody reads."""
        if not self.is_open:
            return False
        if len(self._chunks) >= self._bound:
            self._chunks[-1] = self._chunks[-1].merge(chunk)
        else:
            self._chunks.append(chunk)
        _wake(self._reader)
        return True

    async def receive(self) -> Any:
        """Give the next chunk. Raise StopAsyncIteration at the end, or the stream's error."""
        while not self._chunks:
            if not self.is_open:
                if not self.answer.cancelled():
                    self.answer.result()
                raise StopAsyncIteration
            self._reader = self._address.system.loop.create_future()
            await self._reader
        chunk = self._chunks.popleft()
        _wake(self._writer)
        return chunk

    def _wake_both(self) -> None:
        _wake(self._reader)
        _wake(self._writer)


class Stream(Generic[AnswerT]):
    """Read a streamed answer: ``async with ref.stream(request) as chunks: async for …``.

    Leaving the block, closing, or dropping the stream tells the producer to stop.
    """

    __slots__ = ("_reply",)

    def __init__(self, reply: StreamReply) -> None:
        self._reply = reply

    def __aiter__(self) -> Stream[AnswerT]:
        return self

    async def __anext__(self) -> AnswerT:
        try:
            chunk: AnswerT = await self._reply.receive()
        except asyncio.CancelledError:
            self._reply.abandon()
            raise
        return chunk

    async def __aenter__(self) -> Stream[AnswerT]:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._reply.abandon()

    async def aclose(self) -> None:
        """Stop reading; the producer sees it within one chunk."""
        self._reply.abandon()

    def __del__(self) -> None:
        # A reader that broke out of its loop: the garbage collector is who tells, and it may do
        # so in any thread, and after the loop's end.
        self._reply.abandon_soon()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
