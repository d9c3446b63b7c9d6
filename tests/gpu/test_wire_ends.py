"""The two ends of a wire: what goes out together, and what at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from failsoft.gpu.process.links import WireLink
from failsoft.gpu.script import Say, Script, Stall
from failsoft.gpu.scripted import scripted
from failsoft.gpu.serving.wire_end import WireEnd
from failsoft.messages.frames import Began, Cancel, Done, Frame
from failsoft.messages.wire import (
    MAX_FRAME_BYTES,
    FrameReader,
    command_reader,
    raw,
    report_reader,
)

from .launched import Launcher

pytestmark = pytest.mark.anyio

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def pieces(end: socket.socket, reader: FrameReader) -> list[list[Frame]]:
    """Give the frames that can be read now, those of each read together."""
    read: list[list[Frame]] = []
    while True:
        try:
            data = end.recv(1024 * 1024)
        except BlockingIOError:
            return read
        read.append(list(reader.feed(data)))


def link(end: socket.socket, broken: list[str]) -> WireLink:
    return WireLink(asyncio.get_running_loop(), end, lambda report: None, broken.append)


async def test_commands_of_one_turn_go_out_together(pair: Pair) -> None:
    """A worker gets what one turn of the loop sends in one piece, after it: it wakes once."""
    ours, theirs = pair
    wire = link(ours, [])
    wire.send(Cancel(1))
    wire.send(Cancel(2))
    assert pieces(theirs, command_reader()) == []
    await asyncio.sleep(0)
    assert pieces(theirs, command_reader()) == [[Cancel(1), Cancel(2)]]
    wire.close()


async def test_a_command_that_goes_at_once(pair: Pair) -> None:
    """What may not wait for the turn's end; what was sent before goes first."""
    ours, theirs = pair
    wire = link(ours, [])
    wire.send(Cancel(1))
    wire.send(Cancel(2), at_once=True)
    assert pieces(theirs, command_reader()) == [[Cancel(1), Cancel(2)]]
    wire.close()


async def test_commands_are_kept_for_a_worker_that_is_slow_to_read(pair: Pair) -> None:
    """What the socket doesn't take goes out as it is read: all of it, and in order."""
    ours, theirs = pair
    broken: list[str] = []
    wire = link(ours, broken)
    sent: list[Frame] = [Done(number, raw("x" * 100_000)) for number in range(20)]
    for frame in sent:
        wire.send(frame)
    reader, read = report_reader(), list[Frame]()
    async with asyncio.timeout(60):
        while len(read) < len(sent):
            read += [frame for piece in pieces(theirs, reader) for frame in piece]
            await asyncio.sleep(0)
    assert read == sent
    assert broken == []
    wire.send(Cancel(1))
    await asyncio.sleep(0)
    assert pieces(theirs, command_reader()) == [[Cancel(1)]]
    wire.close()


async def test_a_worker_that_never_reads_is_given_up(pair: Pair) -> None:
    """What is kept for it has a bound; over it the wire is broken, once, and takes no more."""
    ours, _ = pair
    broken: list[str] = []
    wire = link(ours, broken)
    large = Done(1, raw("x" * (MAX_FRAME_BYTES - 1024)))
    for _ in range(5):
        wire.send(large)
    assert broken == ["it does not read its commands"]
    wire.close()


async def test_reports_that_are_held_go_out_together(pair: Pair) -> None:
    """What a step did for several requests is one piece."""
    ours, theirs = pair
    end = WireEnd(ours, lambda: None)
    end.hold(Done(1, raw(None)))
    end.hold(Done(2, raw(None)))
    assert pieces(theirs, report_reader()) == []
    end.flush()
    assert pieces(theirs, report_reader()) == [[Done(1, raw(None)), Done(2, raw(None))]]


async def test_a_report_that_is_sent_takes_along_what_is_held(pair: Pair) -> None:
    """Reports keep their order, whoever sends."""
    ours, theirs = pair
    end = WireEnd(ours, lambda: None)
    end.hold(Done(1, raw(None)))
    end.send(Began(2))
    assert pieces(theirs, report_reader()) == [[Done(1, raw(None)), Began(2)]]


async def test_what_is_held_has_a_bound(pair: Pair) -> None:
    """A step with much to tell sends on its way."""
    ours, theirs = pair
    end = WireEnd(ours, lambda: None)
    large = Done(1, raw("x" * 70_000))
    end.hold(large)
    assert [frame for piece in pieces(theirs, report_reader()) for frame in piece] == [large]


async def test_a_step_is_told_when_it_is_made(launch: Launcher) -> None:
    """Nothing of it waits for more to be said: no heartbeat here takes it along."""
    silent = {"heartbeat_every": 600.0, "heartbeat_limit": 3600.0, "hang_limit": 3600.0}
    script = Script(otherwise=[Say("one "), Stall()])
    worker = await launch.ready(scripted(script, **silent))
    await worker.first_chunk_of(worker.run())
