"""One question over HTTP, on a connection of its own, and how it ends."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
from typing import cast

import msgspec

from bench.chaos.ledger import PROMPT, End, Kind
from bench.chaos.phase import Question

# Seconds that a caller waits.
PATIENCE = 10.0
_HEAD = (
    "POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\nConnection: close\r\n\r\n"
)


class _Text(msgspec.Struct):
    text: str


class _Received(io.BytesIO):
    """Stand in for a socket, and its file, from which all has been read."""

    def makefile(self, _mode: str) -> _Received:
        return self

    def close(self) -> None:
        """Stay open: what comes after the answer is looked at, too."""


async def ask(port: int, question: Question, began: float) -> End:
    """Ask once; ``began``: the time on the loop's clock from which the phase counts."""
    now = asyncio.get_running_loop().time
    asked_at = now() - began
    status = None
    try:
        async with asyncio.timeout(PATIENCE):
            data = await _exchange(port, question)
    except TimeoutError:
        kind = Kind.HUNG
    except OSError:
        kind = Kind.LOST
    else:
        kind, status = judge(data, question.prompt, now() - began - asked_at)
    return End(question, kind, asked_at, now() - began, status)


def judge(data: bytes, prompt: str, seconds: float) -> tuple[Kind, int | None]:
    """Tell what came back, all that did before the connection was closed, and its status."""
    received = _Received(data)
    response = http.client.HTTPResponse(cast(socket.socket, received))
    try:
        response.begin()
        body = response.read()
    except (http.client.HTTPException, ValueError):
        return Kind.LOST, None
    if response.status != 200:
        is_refusal = body and seconds <= PROMPT
        return Kind.REFUSED if is_refusal else Kind.FAILED, response.status
    try:
        text = msgspec.json.decode(body, type=_Text).text
    except msgspec.MsgspecError:
        return Kind.WRONG, 200
    if text != prompt:
        return Kind.WRONG, 200
    return Kind.TWICE if received.read() else Kind.ANSWERED, 200


async def _exchange(port: int, question: Question) -> bytes:
    body = msgspec.json.encode({"prompt": question.prompt, "max_tokens": question.max_tokens})
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(_HEAD.format(length=len(body)).encode() + body)
        # To the end: a second answer would come after the first one.
        return await reader.read()
    finally:
        writer.transport.abort()
