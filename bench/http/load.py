"""The load: connections that are kept open, each with one request at a time."""

from __future__ import annotations

import asyncio
import functools
import time
from typing import cast

import msgspec

from bench.http.served import Served

_BODY = b'{"prompt": "hello", "max_tokens": 16}'
_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_LENGTH = b"content-length: "


class Sample(msgspec.Struct, frozen=True):
    """Tell what some requests took.

    per_second: requests. processor: µs of the serving process's processor time for each.
    """

    per_second: float
    processor: float


class _Connection(asyncio.Protocol):
    """Send a request whenever the last one is answered, as long as there are any left."""

    def __init__(self, request: bytes, left: list[int], done: asyncio.Future[None]) -> None:
        self._request = request
        self._left = left
        self._done = done
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by isinstance: uvloop's are of no such class.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.partition(_LENGTH)[2].partition(b"\r")[0]):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(self._read.decode())
            return
        self._read = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection was closed: {error}")

    def _send(self) -> None:
        if self._left[0] > 0:
            self._left[0] -= 1
            self._transport.write(self._request)
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.abort()

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(why))


async def send(served: Served, requests: int, connections: int) -> Sample:
    """Send ``requests`` over ``connections``; give what they took. Raise what one failed with."""
    loop = asyncio.get_running_loop()
    request = _HEAD.format(path=served.path, length=len(_BODY)).encode() + _BODY
    left, ends = [requests], [loop.create_future() for _ in range(connections)]
    busy, began = served.processor(), time.perf_counter()
    for end in ends:
        connection = functools.partial(_Connection, request, left, end)
        await loop.create_connection(connection, "127.0.0.1", served.port)
    await asyncio.gather(*ends)
    seconds = time.perf_counter() - began
    return Sample(requests / seconds, 1e6 * (served.processor() - busy) / requests)
