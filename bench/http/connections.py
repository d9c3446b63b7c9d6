"""The load: connections that are kept open, each with one request at a time."""

from __future__ import annotations

import asyncio
import functools
import time
from typing import cast

import msgspec

PATH = "/generate"
_BODY = b'{"prompt": "hello", "max_tokens": 16}'
_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_LENGTH = b"content-length: "
_CLOSE = b"connection: close"
_CHUNKED = b"transfer-encoding: chunked"
_LAST_CHUNK = b"\r\n0\r\n\r\n"
# Past the end of a sample, until an answer counts as lost.
_PATIENCE = 30.0


class Answers(msgspec.Struct, frozen=True):
    """Tell of the answers to one load. p50, p99: in milliseconds, from the request on."""

    requests: int
    per_second: float
    p50: float
    p99: float


class _Load:
    """Be what the connections share: how many requests are left, and what the answers took."""

    def __init__(self, requests: int, seconds: float) -> None:
        self.took: list[float] = []
        self._left = requests
        self._until = time.perf_counter() + seconds

    def take(self, now: float) -> bool:
        """Tell whether one more is to be sent."""
        if self._left == 0 or now >= self._until:
            return False
        self._left -= 1
        return True


class _Connection(asyncio.Protocol):
    """Send a request whenever the last one is answered, as long as there are any left.

    ``done`` tells whether none is: if not, the server wants another connection.
    """

    def __init__(self, request: bytes, load: _Load, done: asyncio.Future[bool]) -> None:
        self._request = request
        self._load = load
        self._done = done
        self._read = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by isinstance: uvloop's are of no such class.
        self._transport = cast(asyncio.Transport, transport)
        self._send(time.perf_counter())

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._fail(self._read.decode(errors="replace"))
        elif _is_whole(head.lower(), body):
            now = time.perf_counter()
            self._load.took.append(now - self._sent)
            self._read = b""
            if _CLOSE in head.lower():
                self._end(is_over=False)
            else:
                self._send(now)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection was closed: {error}")

    def _send(self, now: float) -> None:
        if self._load.take(now):
            self._sent = now
            self._transport.write(self._request)
        else:
            self._end(is_over=True)

    def _end(self, *, is_over: bool) -> None:
        if not self._done.done():
            self._done.set_result(is_over)
            self._transport.abort()

    def _fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(RuntimeError(why))
            self._transport.abort()


def _is_whole(head: bytes, body: bytes) -> bool:
    if _CHUNKED in head:
        return body.endswith(_LAST_CHUNK)
    return len(body) >= int(head.partition(_LENGTH)[2].partition(b"\r")[0])


async def send(
    port: int, *, connections: int, seconds: float, requests: int, path: str = PATH
) -> Answers:
    """Send over ``connections`` for so long, or so many ``requests``; tell of the answers.

    Raise RuntimeError with what came, where it is no answer; TimeoutError where nothing comes.
    """
    request = _HEAD.format(path=path, length=len(_BODY)).encode() + _BODY
    began, load = time.perf_counter(), _Load(requests, seconds)
    async with asyncio.timeout(seconds + _PATIENCE):
        await asyncio.gather(*(_call(port, request, load) for _ in range(connections)))
    seconds_taken = time.perf_counter() - began
    took = sorted(load.took)
    if not took:
        raise RuntimeError(f"no request was sent within {seconds:g} s")
    return Answers(
        requests=len(took),
        per_second=len(took) / seconds_taken,
        p50=1e3 * took[len(took) // 2],
        p99=1e3 * took[len(took) * 99 // 100],
    )


async def _call(port: int, request: bytes, load: _Load) -> None:
    """Be one caller, until none is left to be sent."""
    loop, is_over = asyncio.get_running_loop(), False
    while not is_over:
        done = loop.create_future()
        connection = functools.partial(_Connection, request, load, done)
        await loop.create_connection(connection, "127.0.0.1", port)
        is_over = await done
