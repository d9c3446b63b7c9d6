"""The service's ends of a worker: its wire and its output, on the event loop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

from failsoft.gpu.process.worker_log import LineCutter, WorkerLine, parse_line
from failsoft.messages.frames import Frame
from failsoft.messages.wire import (
    MAX_FRAME_BYTES,
    FrameReader,
    WireError,
    encode_frame,
    report_reader,
)

# Of 128 KiB or more, each read would get fresh pages from the kernel: 14 µs for any little frame.
_RECEIVE_BYTES = 64 * 1024
_MAX_UNSENT_BYTES = 2 * MAX_FRAME_BYTES
# What waits for the end of the loop's turn; more goes out as it comes.
_MAX_HELD_BYTES = 64 * 1024
# A dead worker's helpers may hold its output and go on writing.
_LAST_OUTPUT_BYTES = 1024 * 1024


class WireLink:
    """Exchange frames with a worker, without ever waiting.

    reader: cuts what comes into frames; into reports where none is given.
    on_report: called with each. on_broken: called once, with the reason in words, when no
    more can come. has_ended: it came to an end, as it does with the process; is_cut_short: with
    a part of a frame. received: how many bytes have come.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        end: socket.socket,
        on_report: Callable[[Any], None],
        on_broken: Callable[[str], None],
        reader: FrameReader | None = None,
    ) -> None:
        end.setblocking(False)
        self._loop = loop
        self._end = end
        self._on_report = on_report
        self._on_broken = on_broken
        self._reader = reader or report_reader()
        self._unsent = bytearray()
        self._is_due = False
        self._is_full = False
        self._is_broken = False
        self._is_closed = False
        self.has_ended = False
        self.is_cut_short = False
        self.received = 0
        loop.add_reader(end, self._receive)

    @property
    def is_amid_frame(self) -> bool:
        """Tell whether a frame has come in part."""
        return self._reader.pending_bytes > 0

    def send(self, command: Frame, *, at_once: bool = False) -> None:
        """Send ``command``, with all that this turn of the loop sends or ``at_once``.

        What the worker doesn't read is kept. No-op once the link is broken. Raises WireError
        where the frame is over the bound.
        """
        data = encode_frame(command)
        if self._is_broken:
            return
        self._unsent += data
        if self._is_full:
            if len(self._unsent) > _MAX_UNSENT_BYTES:
                self._break("it does not read its commands")
        elif at_once or len(self._unsent) > _MAX_HELD_BYTES:
            self._flush()
        elif not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._flush)

    def drain(self) -> None:
        """Take in what the worker sent before it ended, within a bound: it may go on sending."""
        until = self.received + MAX_FRAME_BYTES
        while not self._is_broken and self.received < until and self._receive():
            pass

    def close(self) -> None:
        """Close the link. Idempotent."""
        if not self._is_closed:
            self._is_closed = self._is_broken = True
            self._loop.remove_reader(self._end)
            self._loop.remove_writer(self._end)
            self._end.close()

    def _receive(self) -> bool:
        """Take in what is there; tell whether there was anything."""
        try:
            data = self._end.recv(_RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if not data:
            self.has_ended = True
            self.is_cut_short = self.is_amid_frame
            self._break("it closed its wire")
            return False
        self.received += len(data)
        try:
            for report in self._reader.feed(data):
                self._on_report(report)
        except WireError as error:
            self._break(f"its wire carries no sense: {error}")
        return not self._is_broken

    def _break(self, reason: str) -> None:
        if not self._is_broken:
            self._is_broken = True
            self._unsent.clear()
            self._loop.remove_reader(self._end)
            self._loop.remove_writer(self._end)
            self._on_broken(reason)

    def _flush(self) -> None:
        self._is_due = False
        if self._is_broken or self._is_full or not self._unsent:
            return
        self._send_now()
        if self._unsent:
            self._is_full = True
            self._loop.add_writer(self._end, self._send_more)

    def _send_more(self) -> None:
        self._send_now()
        if not self._unsent:
            self._is_full = False
            self._loop.remove_writer(self._end)

    def _send_now(self) -> None:
        try:
            sent = self._end.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            # It is gone; its end of the wire, when it is read, says so in order.
            sent = len(self._unsent)
        del self._unsent[:sent]


class OutputLink:
    """Read what a process prints, line by line, without ever waiting."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        descriptor: int,
        on_line: Callable[[WorkerLine], None],
    ) -> None:
        os.set_blocking(descriptor, False)
        self._loop = loop
        self._descriptor = descriptor
        self._on_line = on_line
        self._lines = LineCutter()
        self._is_closed = False
        loop.add_reader(descriptor, self._read)

    def close(self) -> None:
        """Take in what was printed last, within a bound, and close. Idempotent."""
        left = _LAST_OUTPUT_BYTES
        while left > 0 and (read := self._read()):
            left -= read
        self._end()

    def _read(self) -> int:
        """Take in what is there; give how many bytes that was."""
        if self._is_closed:
            return 0
        try:
            data = os.read(self._descriptor, _RECEIVE_BYTES)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            data = b""
        for line in self._lines.feed(data):
            self._on_line(parse_line(line))
        if not data:
            self._end()
        return len(data)

    def _end(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            for line in self._lines.flush():
                self._on_line(parse_line(line))
