"""The shortcut finds what Starlette finds, and leaves the rest to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from failsoft.service.http.shortcut import Shortcut

pytestmark = pytest.mark.anyio


async def told(request: Request) -> JSONResponse:
    return JSONResponse([request.scope["route"].path, request.path_params])


class Slow(Route):
    """Count what comes by way of Starlette's router."""

    handled = 0

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        Slow.handled += 1
        await super().handle(scope, receive, send)


@pytest.fixture(params=["", "/under/it"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of such an app, alone and mounted."""
    prefix: str = request.param
    known = [Slow("/a", told), Slow("/b", told, methods=["POST"]), Slow("/names/{name}", told)]
    routes: list[BaseRoute] = [*known, Slow("/added", told)]
    app = Starlette(routes=routes, middleware=[Middleware(Shortcut, known)])
    outer = Starlette(routes=[Mount(prefix, app)]) if prefix else app
    transport = httpx2.ASGITransport(outer)
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://a{prefix}") as client:
        Slow.handled = 0
        yield client


@pytest.mark.parametrize(("method", "path"), [("GET", "/a"), ("HEAD", "/a"), ("POST", "/b")])
async def test_a_path_as_it_stands(client: httpx2.AsyncClient, method: str, path: str) -> None:
    """Is gone to without a look at the others."""
    answer = await client.request(method, path)
    assert answer.status_code == 200
    if method != "HEAD":
        assert answer.json() == [path, {}]
    assert Slow.handled == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/names/x", 200),
        ("GET", "/added", 200),
        ("GET", "/b", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/a/", 307),
    ],
)
async def test_all_else(client: httpx2.AsyncClient, method: str, path: str, status: int) -> None:
    """Goes Starlette's way: parameters, what others added, and what isn't there."""
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert Slow.handled == (status in (200, 405))
