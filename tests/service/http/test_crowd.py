"""SRV-11: many connections, and many streams at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import psutil
import pytest

from failsoft.service.http import HttpPolicy

from .program import CROWD_WORDS
from .served import PATIENCE, ServedProcess, post, read_until, serving

pytestmark = pytest.mark.anyio

IDLE = 1000
STREAMS = 200
BODY = json.dumps({"model": "crowd", "prompt": "a", "stream": True}).encode()
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_a_thousand_idle_and_two_hundred_streams(service: ServedProcess) -> None:
    """SRV-11 All are answered, and a second crowd takes no more memory than the first."""
    memory = psutil.Process(service.pid).memory_info
    async with asyncio.timeout(PATIENCE), contextlib.AsyncExitStack() as connections:
        idle = [await opened(connections, service) for _ in range(IDLE)]
        for reader, writer in idle:
            writer.write(GET)
            assert b" 200 " in await reader.readuntil(b"}")
        await asyncio.gather(*(streamed(service) for _ in range(STREAMS)))
        after_one = memory().rss
        await asyncio.gather(*(streamed(service) for _ in range(STREAMS)))
        assert memory().rss - after_one < 8 * 1024 * 1024
        # Those that were idle meanwhile are still served.
        for reader, writer in idle:
            writer.write(GET)
            assert b" 200 " in await reader.readuntil(b"}")


def test_an_idle_connection_is_closed_in_time(tmp_path: Path) -> None:
    """Between two requests; by default later than what stands in front would, after a minute."""
    assert HttpPolicy().keep_alive > 60
    service = serving(tmp_path, keep_alive="1")
    with contextlib.closing(service), service.connect() as connection:
        connection.sendall(GET)
        assert b" 200 " in read_until(connection, b"}")
        assert connection.recv(1) == b""


async def opened(
    connections: contextlib.AsyncExitStack, service: ServedProcess
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    connections.push_async_callback(closed, writer)
    return reader, writer


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def streamed(service: ServedProcess) -> None:
    """Read one stream to its end; all of it must come."""
    async with contextlib.AsyncExitStack() as connections:
        reader, writer = await opened(connections, service)
        writer.write(post("/v1/completions", BODY, "Connection: close"))
        said = await reader.read(-1)
    events = [line[6:] for line in said.splitlines() if line.startswith(b"data: ")]
    assert events[-1] == b"[DONE]"
    text = "".join(json.loads(event)["choices"][0]["text"] for event in events[:-1])
    assert text.split() == [str(number) for number in range(CROWD_WORDS)]
