"""The peers: Starlette with nothing behind it, and Starlette that asks another process."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_PREFIX = struct.Struct(">I")


class Body(msgspec.Struct):
    prompt: str
    max_tokens: int = 256


_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


async def _echo(request: Request) -> Response:
    return Response(_encode(_decode(await request.body())), media_type="application/json")


def echo() -> Starlette:
    """Give an app that decodes a body and sends it back."""
    return Starlette(routes=[Route("/generate", _echo, methods=["POST"])])


class _Asker(asyncio.Protocol):
    """Ask the other process; answers come in the order of the questions."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[bytes]] = []
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not by isinstance: uvloop's are of no such class.
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, said: bytes) -> asyncio.Future[bytes]:
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._transport.write(_PREFIX.pack(len(said)) + said)
        return answer

    def data_received(self, data: bytes) -> None:
        said, self._read = _cut(self._read + data)
        for each in said:
            answer = self._waiting.pop(0)
            if not answer.cancelled():
                answer.set_result(each)


def asking() -> Starlette:
    """Give an app that decodes a body, has another process send it back, and passes that on."""
    asker = _Asker()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        ours, theirs = socket.socketpair()
        other = multiprocessing.get_context("spawn").Process(target=_answer, args=(theirs,))
        other.start()
        theirs.close()
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: asker, sock=ours)
        yield
        transport.close()
        other.terminate()

    async def ask(request: Request) -> Response:
        body = _decode(await request.body())
        said = await asker.ask(msgspec.msgpack.encode(body))
        answer = _encode(msgspec.msgpack.decode(said, type=Body))
        return Response(answer, media_type="application/json")

    return Starlette(routes=[Route("/generate", ask, methods=["POST"])], lifespan=lifespan)


def _answer(end: socket.socket) -> None:
    """Be the other process: send back what comes, until nobody is there."""
    read = b""
    while data := end.recv(65536):
        said, read = _cut(read + data)
        end.sendall(b"".join(_PREFIX.pack(len(each)) + each for each in said))


def _cut(read: bytes) -> tuple[list[bytes], bytes]:
    """Give what is whole of ``read``, and the rest."""
    said = []
    while len(read) >= _PREFIX.size:
        end = _PREFIX.size + _PREFIX.unpack_from(read)[0]
        if len(read) < end:
            break
        said.append(read[_PREFIX.size : end])
        read = read[end:]
    return said, read
