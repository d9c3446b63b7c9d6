"""One write for an answer's head and its body, where uvicorn makes two of it."""

from __future__ import annotations

import asyncio
from typing import Any


class OneWrite:
    """Be a transport whose writes of one turn of the loop are one write.

    reader_limit: seconds that its end waits for a reader who takes nothing of what was written.
    """

    def __init__(self, transport: asyncio.Transport, reader_limit: float) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._reader_limit = reader_limit
        self._held = b""

    def write(self, data: bytes) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._pass_on(held + data)
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()
        self._await_reader(self._transport.get_write_buffer_size())

    def _await_reader(self, left: int) -> None:
        # A transport that is closed waits for ever for what was written to be taken.
        if left:
            self._loop.call_later(self._reader_limit, self._look_at_reader, left)

    def _look_at_reader(self, before: int) -> None:
        left = self._transport.get_write_buffer_size()
        if left < before:
            self._await_reader(left)
        else:
            self._transport.abort()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._pass_on(held)

    def _pass_on(self, data: bytes) -> None:
        # Where nobody reads any more, and whoever writes hasn't heard of it yet, asyncio drops
        # what is written, and uvloop raises.
        if not self._transport.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
