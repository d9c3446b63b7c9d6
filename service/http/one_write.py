"""A connection as uvicorn has it, with one write for an answer's head and body, and bounds."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# What a request's headers may have together; of the first read, which may have a body too, more.
_MOST_HEAD_BYTES: Final = 64 * 1024
_READER_LIMIT: Final = 30.0


class OneWriteProtocol(HttpToolsProtocol):
    """Be uvicorn's protocol, and hold a head back until the body that follows it at once.

    reader_limit: seconds after which a connection that is to be closed is, though its reader has
    taken nothing of what was sent. Headers that don't end are refused; uvicorn has no bound.
    """

    def __init__(self, *arguments: Any, reader_limit: float = _READER_LIMIT, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reader_limit = reader_limit
        self._is_in_head = False
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        one_write = OneWrite(transport, self._reader_limit)
        super().connection_made(cast(asyncio.Transport, one_write))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        super().on_headers_complete()


class OneWrite:
    """Be a transport whose writes of one turn of the loop are one write.

    reader_limit: seconds that its end waits for a reader who takes nothing.
    """

    def __init__(self, transport: asyncio.Transport, reader_limit: float = _READER_LIMIT) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._reader_limit = reader_limit
        self._held = b""

    def write(self, data: bytes) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._held = data
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        self._flush()
        self._transport.close()
        self._await_reader(self._transport.get_write_buffer_size())

    def _await_reader(self, left: int) -> None:
        """End the connection where its reader takes nothing: a transport waits for ever."""
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
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
