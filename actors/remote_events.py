"""Server-sent events: bytes in, the data of each event out. Pure.

Source: the "event stream" format of the HTML standard, of which the OpenAI API uses ``data``
lines, ended by a blank line, and comments to keep the connection open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_EVENT_BYTES = 1024 * 1024
_LINE_END = re.compile(rb"[\r\n]")


class EventsError(Exception):
    """Tell that the bytes are no stream of events."""


class EventReader:
    """Cut a stream of bytes into events.

    Raises EventsError for an event over the bound, and for one that is not UTF-8.
    """

    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._after_return = False

    def feed(self, data: bytes) -> Iterator[str]:
        """Take bytes as they came; give the data of each event that is now complete."""
        self._buffer += data
        for line in self._lines():
            if not line:
                yield from self._end_event()
            elif line.startswith(b"data:"):
                self._add(line[5:].removeprefix(b" "))
        if len(self._buffer) + self._data_bytes > self._max_bytes:
            raise EventsError(f"an event is over the bound of {self._max_bytes} bytes")

    def _lines(self) -> Iterator[bytes]:
        """Give the whole lines: they end with a newline, a carriage return, or both."""
        start = 0
        while (end := _LINE_END.search(self._buffer, start)) is not None:
            line = bytes(self._buffer[start : end.start()])
            is_second_half = not line and end[0] == b"\n" and self._after_return
            self._after_return = end[0] == b"\r"
            start = end.end()
            if not is_second_half:
                yield line
        del self._buffer[:start]

    def _add(self, data: bytes) -> None:
        self._data.append(data)
        self._data_bytes += len(data) + 1
        if self._data_bytes > self._max_bytes:
            raise EventsError(f"an event is over the bound of {self._max_bytes} bytes")

    def _end_event(self) -> Iterator[str]:
        data, self._data, self._data_bytes = b"\n".join(self._data), [], 0
        if data:
            try:
                yield data.decode()
            except UnicodeDecodeError as error:
                raise EventsError("an event is not UTF-8") from error
