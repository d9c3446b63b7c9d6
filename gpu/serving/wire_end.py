"""The worker's end of the wire: any thread may send."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

from failsoft.messages.frames import Command, Frame
from failsoft.messages.wire import WireError, command_reader, encode_frame

# Of 128 KiB or more, each read would get fresh pages from the kernel: 14 µs for any little frame.
_RECEIVE_BYTES = 64 * 1024
_MAX_HELD_BYTES = 64 * 1024


class WireEnd:
    """Send reports, and read commands.

    on_broken: called where a report can't be sent, since the service is gone.
    """

    def __init__(self, end: socket.socket, on_broken: Callable[[], object]) -> None:
        self._end = end
        self._on_broken = on_broken
        self._lock = threading.Lock()
        self._held = bytearray()

    def send(self, report: Frame) -> None:
        """Send ``report``, after what is held; wait while the service doesn't read.

        Raises as ``hold`` does, and then nothing was sent.
        """
        self.hold(report)
        self.flush()

    def hold(self, report: Frame) -> None:
        """Keep ``report`` for the next ``flush`` or ``send``, so that a step's go out together.

        Raises TypeError, ValueError or WireError where it can't be encoded.
        """
        data = encode_frame(report)
        with self._lock:
            self._held += data
        if len(self._held) > _MAX_HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what is held; wait while the service doesn't read."""
        try:
            with self._lock:
                held, self._held = self._held, bytearray()
                if held:
                    self._end.sendall(held)
        except OSError:
            self._on_broken()

    def commands(self) -> Iterator[Command]:
        """Give each command as it comes; end where the service is gone or speaks no sense."""
        reader = command_reader()
        try:
            while data := self._end.recv(_RECEIVE_BYTES):
                yield from reader.feed(data)
        except (OSError, WireError):
            return
