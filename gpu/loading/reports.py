"""Tell how far a load is, not more often than anybody can see."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from failsoft.gpu.memory.process_memory import moved_bytes, rss_bytes
from failsoft.messages.frames import Frame, Loading

_EVERY = 0.05
_MOVED = 64 * 1024


def process_movement() -> int:
    """Give a number that changes when this process reads, writes, or takes memory."""
    return moved_bytes() + rss_bytes()


class LoadCalledOff(BaseException):
    """Leave a load; not an Exception, so that nothing on the way takes it for a fault."""


class LoadReports:
    """Send an engine's progress, at most 20 times a second, the last of it always.

    Engines can't always tell how far they are, while they fetch a file for one. Reads, writes
    and memory that grows are then told as movement: the last progress again.
    """

    def __init__(
        self, send: Callable[[Frame], None], movement: Callable[[], int] = process_movement
    ) -> None:
        self._send = send
        self._movement = movement
        self._lock = threading.Lock()
        self._last = Loading(0, 0)
        self._is_told = True
        self._told_at = 0.0
        self._moved = self._movement()
        self._is_over = False
        self._is_called_off = False

    def call_off(self) -> None:
        """Have the load end where it next tells of its progress."""
        self._is_called_off = True

    def progress(self, done: int, total: int) -> None:
        """Take in how many bytes are done, out of ``total``.

        Raises LoadCalledOff where the load is of no use any more.
        """
        if self._is_called_off:
            raise LoadCalledOff
        with self._lock:
            self._last = Loading(int(done), int(total))
            self._is_told = False
            if time.monotonic() - self._told_at >= _EVERY:
                self._tell()

    def notice_movement(self) -> None:
        """Tell the last progress where it wasn't told, and again where bytes have moved."""
        with self._lock:
            if self._is_over:  # each later beat would look at all threads for nothing
                return
            moved = self._movement()
            if not self._is_told or abs(moved - self._moved) >= _MOVED:
                self._moved = moved
                self._tell()

    def finish(self) -> None:
        """Tell what is not told yet; nothing comes after it."""
        with self._lock:
            self._is_over = True
            if not self._is_told:
                self._tell()

    def _tell(self) -> None:
        self._is_told = True
        self._told_at = time.monotonic()
        self._send(self._last)
