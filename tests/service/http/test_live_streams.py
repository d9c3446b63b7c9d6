"""``/live``: how long a stream lasts, and how it ends. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from failsoft.actors import System
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.service.http import FailsoftApp, failsoft_app
from failsoft.supervisors import supervisor
from failsoft.testing import EventRecorder, VirtualTimeLoop

pytestmark = pytest.mark.anyio

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/live",
    "raw_path": b"/live",
    "query_string": b"",
    "headers": [],
}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "asyncio", {"loop_factory": VirtualTimeLoop}


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    async with System() as system:
        await system.spawn(supervisor("root").start, "root")
        yield system


@pytest.fixture
def app(system: System) -> FailsoftApp:
    return failsoft_app(system, routes={})


async def look(app: FailsoftApp, seconds: float) -> bool:
    """Look for so long, then leave; tell whether the stream ended by itself before that."""
    has_ended = False

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(seconds)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal has_ended
        has_ended = message["type"] == "http.response.body" and not message.get("more_body")

    await app(dict(SCOPE), receive, send)  # type: ignore[arg-type]
    return has_ended


async def test_a_stream_ends_where_nobody_would_tell_of_the_servers_end(app: FailsoftApp) -> None:
    """SRV-05 That server waits for it: 30 s at most."""
    began = asyncio.get_running_loop().time()
    assert await look(app, 100)
    assert 30 <= asyncio.get_running_loop().time() - began < 31


async def test_a_stream_of_our_own_server_lasts_as_long_as_somebody_looks(
    app: FailsoftApp, system: System
) -> None:
    """SRV-07 It is one request, however long, and that they leave is no failure."""
    events = EventRecorder(system)
    app.gateway.is_told_of_end = True
    assert not await look(app, 1000)
    (finished,) = events.of(HttpRequestFinished)
    assert (finished.route, finished.status, finished.error_type) == ("/live", 200, "")
