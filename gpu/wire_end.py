"""The worker's end of the wire: any thread may send."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator

from failsoft.messages.frames import Command, Frame
from failsoft.messages.wire import WireError, command_reader, encode_frame

_RECEIVE_BYTES = 256 * 1024


class WireEnd:
    """Send reports, and read commands. Where the service is gone, the process ends at once."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lock = threading.Lock()

    def send(self, report: Frame) -> None:
        """Send ``report``; wait while the service doesn't read.

        Raises TypeError, ValueError or WireError where it can't be encoded, and then nothing
        was sent.
        """
        data = encode_frame(report)
        with self._lock:
            try:
                self._end.sendall(data)
            except OSError:
                os._exit(1)

    def commands(self) -> Iterator[Command]:
        """Give each command as it comes; end where the service is gone or speaks no sense."""
        reader = command_reader()
        try:
            while data := self._end.recv(_RECEIVE_BYTES):
                yield from reader.feed(data)
        except (OSError, WireError):
            return
