"""A server that says byte for byte what a test has it say."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

# Far above what anything here takes: a test that would hang fails instead.
PATIENT = 60.0


@dataclass
class Asked:
    """Know a request that the server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int


class Connection:
    """Hold a client's connection: what a play writes to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.is_closed = False

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def left(self) -> None:
        """Wait until the client closes the connection."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(1024):
                pass
        self.is_closed = True

    def close(self) -> None:
        """Close it in the midst of whatever was being said."""
        self.is_closed = True
        self._writer.close()

    def reset(self) -> None:
        """Drop it, as a machine does that goes away."""
        self.is_closed = True
        self._writer.transport.abort()


Play = Callable[[Connection], Awaitable[None]]


def says(*pieces: bytes) -> Play:
    async def play(connection: Connection) -> None:
        await connection.send(*pieces)

    return play


def response(
    status: int, body: bytes = b"", kind: str = "application/json", **headers: str
) -> bytes:
    """Give a whole response; underscores in the headers' names are dashes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def says_json(content: Any, status: int = 200, **headers: str) -> Play:
    return says(response(status, json.dumps(content).encode(), **headers))


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
STREAM_END = b"0\r\n\r\n"
DONE = "[DONE]"


def event(content: Any) -> bytes:
    """Give one event as one chunk of the transfer."""
    said = content if isinstance(content, str) else json.dumps(content)
    data = f"data: {said}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def streams_events(*contents: Any) -> Play:
    return says(STREAM_HEAD, *map(event, contents), STREAM_END)


class RemoteServer:
    """Answer each path by the plays that were put on for it, in order, the last one again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._plays: dict[str, deque[Play]] = defaultdict(deque)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._news = asyncio.Event()
        self._connections = 0
        self.port = 0
        self.put_on("/v1/models", says_json({"object": "list", "data": []}))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def put_on(self, path: str, *plays: Play) -> None:
        """Have ``path`` answered by ``plays`` from here on."""
        self._plays[path] = deque(plays)

    def of(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    async def count(self, path: str, times: int) -> None:
        """Wait until ``path`` was asked for so many times."""
        async with asyncio.timeout(PATIENT):
            while len(self.of(path)) < times:
                self._news.clear()
                await self._news.wait()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Go away, with all connections."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer, self._connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        connection = Connection(reader, writer)
        try:
            while not connection.is_closed:
                asked = await _read(reader, number)
                if asked is None:
                    break
                self.asked.append(asked)
                self._news.set()
                plays = self._plays[asked.path] or deque([says(response(404))])
                await (plays.popleft() if len(plays) > 1 else plays[0])(connection)
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, number: int) -> Asked | None:
    """Read a request; None where the client leaves first."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = first.split()
    return Asked(method, path, headers, json.loads(body) if body else None, number)


@contextlib.asynccontextmanager
async def remote_server() -> AsyncIterator[RemoteServer]:
    server = RemoteServer()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
