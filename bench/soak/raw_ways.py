"""Ways by a bare socket: what no client does on purpose, and the network does all day."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from bench.soak.ends import ANSWERED, LEFT, end_by, refusal_in
from bench.soak.http_ways import body_of
from bench.soak.question import PATIENCE, Question
from bench.storm.question import is_echo

_LINGERS = 1.0

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class RawWays:
    """Ask by sockets of one's own, each for one thing."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port

    def ways(self) -> dict[str, Callable[[Question], Awaitable[str]]]:
        """Give the ways by name."""
        return {
            "half_body": self._half_body,
            "endless_head": self._endless_head,
            "gone_mid_stream": self._gone_mid_stream,
            "pipelined": self._pipelined,
        }

    async def _half_body(self, question: Question) -> str:
        """Send half a body, and hang up."""
        whole = _request(question)
        async with self._connected() as (_, writer):
            writer.write(whole[: len(whole) - 20])
            await writer.drain()
            await asyncio.sleep(_LINGERS * (question.number % 2))
        return LEFT

    async def _endless_head(self, question: Question) -> str:
        """Send a header, and another one, and never the last."""
        async with self._connected() as (_, writer):
            writer.write(b"GET /status HTTP/1.1\r\nHost: here\r\n")
            for number in range(5):
                writer.write(b"X-Header-%d: of many\r\n" % number)
                await writer.drain()
                await asyncio.sleep(_LINGERS / 5)
        return LEFT

    async def _gone_mid_stream(self, question: Question) -> str:
        """Hang up once something has come, and much is to come yet."""
        prompt = f"{question.id} slowly " + "word " * 60
        slow = msgspec.structs.replace(question, prompt=prompt, within=PATIENCE)
        async with self._connected() as (reader, writer):
            writer.write(_request(slow, stream=True))
            status, _ = await _head(reader)
            if status == b"200":
                await reader.readuntil(b"\n\n")
        return LEFT

    async def _pipelined(self, question: Question) -> str:
        """Send a second request before the first is answered; the answers come in order."""
        others = [
            msgspec.structs.replace(question, prompt=f"{question.prompt} {word}")
            for word in ("first", "second")
        ]
        async with self._connected() as (reader, writer):
            writer.write(_request(others[0]) + _request(others[1], id=f"{question.id}b"))
            ends = [
                await _answer(reader, others[0], question.id),
                await _answer(reader, others[1], f"{question.id}b"),
            ]
        return next((end for end in ends if end != ANSWERED), ANSWERED)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_connection(*self._place)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _request(question: Question, *, id: str = "", stream: bool = False) -> bytes:
    body = msgspec.json.encode({**body_of(question), "stream": stream})
    lines = (
        "POST /generate HTTP/1.1",
        "Host: here",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"X-Correlation-ID: {id or question.id}",
        *("", ""),
    )
    return "\r\n".join(lines).encode() + body


async def _head(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """Give the status, and the length of the body."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).splitlines()
    headers = dict(line.lower().split(b": ", 1) for line in lines if line)
    return first.split()[1], int(headers.get(b"content-length", b"0"))


async def _answer(reader: asyncio.StreamReader, question: Question, id: str) -> str:
    status, length = await _head(reader)
    body = await reader.readexactly(length)
    if status != b"200":
        return end_by(refusal_in(body), int(status), id, is_patient=question.is_patient)
    said = msgspec.json.decode(body)
    is_own = is_echo(question.prompt, said["text"], said["finish_reason"])
    return ANSWERED if is_own else "wrong"
