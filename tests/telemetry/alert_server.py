"""A server that takes posts as a test says, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

# Far above what anything here takes: a test that would hang fails instead.
PATIENT = 60.0


@dataclass
class Posted:
    """Know a post that the server got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class AlertServer:
    """Answer posts with ``answers``, in order, the last one again; None is no answer at all."""

    answers: list[bytes | None]
    posts: list[Posted] = field(default_factory=list)
    port: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/secret-token"

    async def count(self, posts: int) -> None:
        """Wait until it has so many posts."""
        async with asyncio.timeout(PATIENT):
            while len(self.posts) < posts:
                self._news.clear()
                await self._news.wait()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {
                    name.lower(): value for name, value in (line.split(": ", 1) for line in lines)
                }
                body = await reader.readexactly(int(headers["content-length"]))
                self.posts.append(Posted(first.split()[1], headers, body))
                self._news.set()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is None:
                    await reader.read()  # to the end, which is the client's
                    break
                writer.write(answer)
                await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def answer(status: int, **headers: str) -> bytes:
    """Give an answer; underscores in the headers' names are dashes."""
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Length: 2"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", "ok"]).encode()


@contextlib.asynccontextmanager
async def alert_server(*answers: bytes | None) -> AsyncIterator[AlertServer]:
    """Run a server that answers so; with 200, where nothing is said."""
    served = AlertServer(list(answers) or [answer(200)])
    server = await asyncio.start_server(served.accept, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        await served.stop()
