"""Streams: back-pressure, one end, and a producer that notices when nobody reads."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from failsoft.actors import Actor, ActorStopped, Stream, System, UnknownMessage, handles, streams
from failsoft.actors.reply import StreamReply
from failsoft.messages import InferenceTimeout, InvalidInput, Message, Streamed
from failsoft.messages.events import ActorFailed
from failsoft.supervisors import NO_WAIT, Supervisor, child

from .sample_actors import Counting, Note, Numbers, quiet

pytestmark = pytest.mark.anyio


async def start(system: System) -> Counting:
    actor = Counting()
    await system.spawn(
        lambda: Supervisor([child("counting", lambda: actor)], backoff=NO_WAIT), "root"
    )
    return actor


async def read_into(read: list[Any], stream: Stream[Any]) -> None:
    async for chunk in stream:
        read.append(chunk)


async def test_a_stream_gives_all_chunks_and_ends(system: System) -> None:
    """RT-17 In order; after the end it has ended for good."""
    actor = await start(system)
    async with actor.context.ref.stream(Numbers(200)) as numbers:
        assert [number async for number in numbers] == list(range(200))
        assert [number async for number in numbers] == []
    assert actor.is_closed
    assert system.dead_letters.total == 0


async def test_a_producer_waits_for_a_slow_reader(system: System) -> None:
    """RT-17 At the bound; one more for each chunk that is read."""
    actor = await start(system)
    async with actor.context.ref.stream(Numbers(1000), bound=4) as numbers:
        await quiet()
        assert actor.made == 5  # four wait for the reader, one in the producer's hand
        for read in range(1, 20):
            assert await anext(numbers) == read - 1
            await quiet()
            assert actor.made == 5 + read


@pytest.mark.parametrize("how", ["block", "aclose", "break", "cancel"])
async def test_a_reader_that_leaves_stops_the_producer(system: System, how: str) -> None:
    """RT-17 Within one item; and the actor is free for the next request."""
    actor = await start(system)
    ref = actor.context.ref

    async def read() -> None:
        stream = ref.stream(Numbers(1000), bound=1)
        if how == "block":
            async with stream as numbers:
                await anext(numbers)
        elif how == "aclose":
            await anext(stream)
            await stream.aclose()
        elif how == "break":
            async for _ in stream:
                break
        else:
            await anext(stream)
            await asyncio.Event().wait()

    reading = asyncio.ensure_future(read())
    await quiet()
    if how == "cancel":
        reading.cancel()
        await quiet()
    await asyncio.gather(reading, return_exceptions=True)
    del reading
    gc.collect()
    await quiet()
    assert actor.is_closed
    assert actor.made <= 3
    async with ref.stream(Numbers(3)) as numbers:
        assert [number async for number in numbers] == [0, 1, 2]


async def test_a_reader_that_is_cancelled_while_it_waits_stops_the_producer(
    system: System,
) -> None:
    """RT-17 The producer has nothing to give at that time: it is told all the same."""
    closed: list[bool] = []

    class Silent(Actor):
        @streams(Numbers)
        async def numbers(self, _message: Numbers):  # type: ignore[no-untyped-def]
            try:
                await asyncio.Event().wait()
                yield 0
            finally:
                closed.append(True)

    ref = await system.spawn(Silent, "silent")
    stream = ref.stream(Numbers(1), timeout=1000)
    reading = asyncio.ensure_future(anext(stream))
    await quiet()
    reading.cancel()
    await quiet()
    assert closed == [True]


async def test_a_stream_that_is_dropped_before_it_was_read_is_never_produced(
    system: System,
) -> None:
    """RT-17 It has expired when its turn comes."""
    actor = await start(system)
    stream = actor.context.ref.stream(Numbers(3))
    await stream.aclose()
    await quiet()
    assert actor.made == 0
    assert system.tree()[0].children[0].expired == 1


async def test_a_stream_may_be_dropped_in_any_thread(system: System) -> None:
    """RT-17 The garbage collector runs where it likes."""
    actor = await start(system)
    held: list[Stream[int]] = [actor.context.ref.stream(Numbers(1000), bound=1)]
    assert await anext(held[0]) == 0
    dropping = threading.Thread(target=held.clear)
    dropping.start()
    dropping.join()
    await quiet()
    assert actor.is_closed


def test_a_stream_that_outlives_its_loop_is_dropped_without_a_word() -> None:
    """RT-17 There is nobody left to be told."""
    loop = asyncio.new_event_loop()

    async def make() -> Stream[int]:
        async with System() as system:
            ref = await system.spawn(Counting, "counting")
            return Stream(StreamReply(ref.address, float("inf"), system.clock.now()))

    stream = loop.run_until_complete(make())
    loop.close()
    del stream
    gc.collect()


async def test_a_producer_that_fails_is_seen_after_the_chunks_it_gave(system: System) -> None:
    """RT-18 All of them, then one error, then never a silent end."""
    actor = await start(system)
    actor.error = KeyError("broken")
    failures: list[ActorFailed] = []
    system.events.subscribe(failures.append, ActorFailed)
    read: list[int] = []
    stream = actor.context.ref.stream(Numbers(50))
    await quiet()
    with pytest.raises(KeyError, match="broken"):
        await read_into(read, stream)
    assert read == list(range(50))
    with pytest.raises(KeyError):
        await anext(stream)
    assert len(failures) == 1


async def test_a_producer_that_refuses_is_not_restarted(system: System) -> None:
    """RT-18 A caller's fault is an answer in a stream too."""
    actor = await start(system)
    actor.error = InvalidInput("no")
    with pytest.raises(InvalidInput):
        async for _ in actor.context.ref.stream(Numbers(0)):
            pass
    assert system.tree()[0].children[0].restarts == 0


async def test_a_killed_producer_is_seen_after_the_chunks_it_gave(system: System) -> None:
    """RT-18 The error says that it was killed."""
    actor = await start(system)
    stream = actor.context.ref.stream(Numbers(1000), bound=3)
    await quiet()
    actor.context._cell.kill()
    await quiet()
    read: list[int] = []
    with pytest.raises(ActorStopped, match="killed"):
        await read_into(read, stream)
    assert read == [0, 1, 2]


async def test_the_deadline_is_that_of_the_whole_stream(system: System) -> None:
    """RT-18 What was made by then is read; then comes the timeout."""
    actor = await start(system)
    stream = actor.context.ref.stream(Numbers(1000), bound=3, timeout=5)
    await asyncio.sleep(6)
    read: list[int] = []
    with pytest.raises(InferenceTimeout):
        await read_into(read, stream)
    assert read == [0, 1, 2]
    assert actor.is_closed


async def test_a_stream_for_which_there_is_no_handler_is_refused(system: System) -> None:
    """RT-18 Where it is asked for."""
    actor = await start(system)
    with pytest.raises(UnknownMessage, match=r"@streams\(Unheard\)"):
        actor.context.ref.stream(Unheard())


class Unheard(Streamed[int], frozen=True):
    pass


class Piece(Message, frozen=True):
    """Be a chunk that can be joined with the next."""

    text: str

    def merge(self, later: Piece) -> Piece:
        return Piece(self.text + later.text)


class Pieces(Streamed[Piece], frozen=True):
    pass


class Pushing(Actor):
    """Push chunks without waiting, as from a worker's wire."""

    def __init__(self) -> None:
        self.reply: StreamReply | None = None

    @streams(Pieces)
    def pieces(self, _message: Pieces):  # type: ignore[no-untyped-def]
        self.reply = self.context.defer()  # type: ignore[assignment]
        return self.reply

    @handles(Note)
    def push(self, message: Note) -> None:
        assert self.reply is not None
        self.reply.push(Piece(str(message.value)))


async def test_pushed_chunks_are_joined_for_a_slow_reader(system: System) -> None:
    """RT-17 It gets fewer and longer ones, and misses nothing."""
    actor = Pushing()
    ref = await system.spawn(lambda: actor, "pushing")
    stream = ref.stream(Pieces(), bound=3)
    await quiet()
    for letter in "abcdefgh":
        ref.tell(Note(letter))
    await quiet()
    assert actor.reply is not None
    actor.reply.set(None)
    pieces = [piece.text async for piece in stream]
    assert pieces == ["a", "b", "cdefgh"]


async def test_pushed_chunks_come_before_the_error_that_follows(system: System) -> None:
    """RT-18 Nothing that was made is lost."""
    actor = Pushing()
    ref = await system.spawn(lambda: actor, "pushing")
    stream = ref.stream(Pieces())
    await quiet()
    for letter in "abc":
        ref.tell(Note(letter))
    await quiet()
    assert actor.reply is not None
    actor.reply.fail(KeyError("x"))
    assert not actor.reply.push(Piece("too late"))
    pieces: list[Piece] = []
    with pytest.raises(KeyError):
        await read_into(pieces, stream)
    assert pieces == [Piece("a"), Piece("b"), Piece("c")]
