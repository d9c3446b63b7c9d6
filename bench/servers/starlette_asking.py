"""Starlette that asks another process: the least that a model in a process of its own can cost."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.servers.asked import asked
from bench.servers.starlette import Body, Reply, decode, encode

_PREFIX = struct.Struct(">I")


class Asker(asyncio.Protocol):
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
        said, self._read = cut(self._read + data)
        for each in said:
            answer = self._waiting.pop(0)
            if not answer.cancelled():
                answer.set_result(each)


def app() -> Starlette:
    asker = Asker()

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
        other.join()

    async def ask(request: Request) -> Response:
        body = decode(await request.body())
        said = await asker.ask(msgspec.msgpack.encode(body))
        answered = msgspec.msgpack.decode(said, type=Body)
        return Response(encode(Reply(answered.prompt)), media_type="application/json")

    return Starlette(routes=[Route("/generate", ask, methods=["POST"])], lifespan=lifespan)


def cut(read: bytes) -> tuple[list[bytes], bytes]:
    """Give what is whole of ``read``, and the rest."""
    said = []
    while len(read) >= _PREFIX.size:
        end = _PREFIX.size + _PREFIX.unpack_from(read)[0]
        if len(read) < end:
            break
        said.append(read[_PREFIX.size : end])
        read = read[end:]
    return said, read


def _answer(end: socket.socket) -> None:
    """Be the other process: send back what comes, until nobody is there."""
    read = b""
    while data := end.recv(65536):
        said, read = cut(read + data)
        end.sendall(b"".join(_PREFIX.pack(len(each)) + each for each in said))


if __name__ == "__main__":
    uvicorn.run(app(), port=asked().port, log_level="error", access_log=False)
