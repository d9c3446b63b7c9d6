"""The wire codec: length-prefixed msgpack frames with a bound."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from failsoft.messages.frames import Command, Frame, Report

MAX_FRAME_BYTES = 16 * 1024 * 1024

_PREFIX = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()


class WireError(Exception):
    """Tell that the bytes on a wire are no frame; the connection is of no more use."""


def encode_frame(frame: Frame, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """Give the bytes of ``frame``. Raise WireError where it is over the bound."""
    body = _encoder.encode(frame)
    if len(body) > max_bytes:
        raise WireError(f"a frame of {len(body)} bytes is over the bound of {max_bytes}")
    return _PREFIX.pack(len(body)) + body


def raw(value: object) -> msgspec.Raw:
    """Encode ``value`` once, to ride in a frame."""
    return msgspec.Raw(_encoder.encode(value))


class FrameReader:
    """Cut a stream of bytes into frames. Pure: bytes in, frames out.

    Raise WireError for a frame over the bound, and for a body that is no frame of the union.
    """

    def __init__(self, frames: Any, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._decoder = msgspec.msgpack.Decoder(frames)
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take bytes as they came; give each frame that is now complete."""
        self._buffer += data
        start = 0
        try:
            while len(self._buffer) - start >= _PREFIX.size:
                (length,) = _PREFIX.unpack_from(self._buffer, start)
                if length > self._max_bytes:
                    raise WireError(
                        f"a frame of {length} bytes is over the bound of {self._max_bytes}"
                    )
                end = start + _PREFIX.size + length
                if len(self._buffer) < end:
                    break
                body = bytes(self._buffer[start + _PREFIX.size : end])
                start = end
                yield self._decode(body)
        finally:
            del self._buffer[:start]

    @property
    def pending_bytes(self) -> int:
        """Tell how many bytes of an unfinished frame are held."""
        return len(self._buffer)

    def _decode(self, body: bytes) -> Any:
        try:
            return self._decoder.decode(body)
        except msgspec.DecodeError as error:
            raise WireError(f"not a frame: {error}") from error


def command_reader() -> FrameReader:
    """Give the reader of a worker's end."""
    return FrameReader(Command)


def report_reader() -> FrameReader:
    """Give the reader of the service's end."""
    return FrameReader(Report)
