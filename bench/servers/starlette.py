"""Starlette, with nothing behind it: it decodes a body, and sends the prompt back.

No server on Starlette can be faster; that is what it is measured for.
"""

from __future__ import annotations

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.servers.asked import asked


class Body(msgspec.Struct):
    prompt: str
    max_tokens: int = 256


class Reply(msgspec.Struct):
    text: str


decode = msgspec.json.Decoder(Body).decode
encode = msgspec.json.Encoder().encode


async def _echo(request: Request) -> Response:
    body = decode(await request.body())
    return Response(encode(Reply(body.prompt)), media_type="application/json")


def app() -> Starlette:
    return Starlette(routes=[Route("/generate", _echo, methods=["POST"])])


if __name__ == "__main__":
    uvicorn.run(app(), port=asked().port, log_level="error", access_log=False)
