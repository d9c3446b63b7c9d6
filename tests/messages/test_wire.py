"""Frames on the wire: whole, bounded, or an error; never garbage taken for a frame."""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.messages import ChatMessage, GenerateText, TextChunk, TextReply, Usage
from failsoft.messages.errors import WorkerLost
from failsoft.messages.frames import (
    Began,
    Cancel,
    Chunk,
    Done,
    Failed,
    Frame,
    Heartbeat,
    Hello,
    Load,
    Loading,
    Ready,
    Run,
    Stop,
)
from failsoft.messages.wire import (
    MAX_FRAME_BYTES,
    FrameReader,
    WireError,
    command_reader,
    encode_frame,
    raw,
    report_reader,
)

REPORTS: list[Frame] = [
    Hello(1, 42, {"python": "3.11"}),
    Loading(5, 10),
    Ready({"device": "cpu"}),
    Heartbeat(1.5, 7, (1, 2), 1000),
    Began(1),
    Chunk(1, raw(TextChunk("hé"))),
    Done(1, raw(TextReply("hé", "stop", Usage(1, 2)))),
    Failed(2, WorkerLost("gone").info, sticky=True),
]
COMMANDS: list[Frame] = [
    Load("module:Class", {"a": [1, None]}, threads=2),
    Run(1, raw(GenerateText((ChatMessage("user", "hi"),), stop=("x",))), True, 5.5, "c"),
    Cancel(1),
    Stop(),
]


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """Cut ``data`` at the given places."""
    places = sorted({min(place, len(data)) for place in at})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def read(reader: FrameReader, pieces: list[bytes]) -> list[Frame]:
    return [frame for piece in pieces for frame in reader.feed(piece)]


@given(st.lists(st.sampled_from(REPORTS)), st.lists(st.integers(0, 2000)))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    frames: list[Frame], at: list[int]
) -> None:
    """WK-06 A frame cut short waits for its rest."""
    reader = report_reader()
    data = b"".join(map(encode_frame, frames))
    assert read(reader, cut(data, at)) == frames
    assert reader.pending_bytes == 0


def test_commands_go_the_other_way() -> None:
    """The request rides along and is decoded with its own type."""
    got = read(command_reader(), [b"".join(map(encode_frame, COMMANDS))])
    assert got == COMMANDS
    run = got[1]
    assert isinstance(run, Run)
    request = msgspec.msgpack.decode(run.request, type=GenerateText)
    assert request == GenerateText((ChatMessage("user", "hi"),), stop=("x",))


def test_a_frame_over_the_bound_is_refused_before_it_is_read() -> None:
    """WK-06 The announced length is enough."""
    reader = report_reader()
    with pytest.raises(WireError, match="over the bound"):
        read(reader, [struct.pack(">I", MAX_FRAME_BYTES + 1)])


def test_a_frame_over_the_bound_is_not_sent() -> None:
    """WK-06 The sender learns it, not the other side."""
    with pytest.raises(WireError, match="over the bound of 100"):
        encode_frame(Ready({"text": "x" * 100}), max_bytes=100)


@given(st.binary(max_size=200))
def test_garbage_is_an_error_or_waits_and_is_never_a_crash(garbage: bytes) -> None:
    """WK-06 Whatever the bytes: frames, WireError, or more to come."""
    try:
        frames = read(report_reader(), [garbage])
    except WireError:
        return
    assert all(isinstance(frame, Frame) for frame in frames)


def test_a_command_is_no_report() -> None:
    """WK-06 A worker that echoes what it gets is found out."""
    with pytest.raises(WireError, match="not a frame"):
        read(report_reader(), [encode_frame(Cancel(1))])


def test_what_was_complete_before_the_garbage_is_given_out() -> None:
    """The good frame first, then the error."""
    reader = report_reader()
    frames = reader.feed(encode_frame(REPORTS[0]) + struct.pack(">I", 1) + b"\xc1")
    assert next(frames) == REPORTS[0]
    with pytest.raises(WireError):
        next(frames)
