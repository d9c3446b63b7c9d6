"""The app in front of a System that somebody else runs, in this very process."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from failsoft.actors import Actor, System, current_deadline, handles
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.service.http import FailsoftApp, HttpPolicy, failsoft_app, serve
from failsoft.supervisors import child, supervisor

pytestmark = pytest.mark.anyio

ROUTES = {"text": "root/text"}


class TimeLeft(Actor):
    """Answer with the seconds that are left for the answer."""

    @handles(GenerateText)
    def generate(self, _request: GenerateText) -> TextReply:
        left = current_deadline() - self.context.clock.now()
        return TextReply(f"{left:.0f}", "stop", Usage(1, 1))


@asynccontextmanager
async def running(app: FailsoftApp, system: System) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with (
        system,
        httpx2.AsyncClient(transport=transport, base_url="http://failsoft") as client,
    ):
        await system.spawn(supervisor("root", child("text", TimeLeft)).start, "root")
        yield client


@pytest.mark.parametrize(("asked", "given"), [(None, "60"), (30, "30"), (5000, "600")])
async def test_the_deadline_is_bounded(asked: float | None, given: str) -> None:
    """What a caller names counts up to the server's most."""
    system = System()
    async with running(failsoft_app(system, routes=ROUTES), system) as client:
        answer = await client.post("/generate", json={"prompt": "a", "timeout": asked})
        assert answer.json()["text"] == given


async def test_an_actor_that_does_not_stream() -> None:
    """Is no fault: whoever asks it for a stream is told so."""
    system = System()
    async with running(failsoft_app(system, routes=ROUTES), system) as client:
        answer = await client.post("/generate", json={"prompt": "a", "stream": True})
        assert answer.status_code == 422
        assert answer.json()["details"]["field_errors"].keys() == {"stream"}


async def test_a_policy_of_ones_own() -> None:
    """Its bounds are heeded."""
    system = System()
    policy = HttpPolicy(default_timeout=5, max_timeout=9, max_characters=3)
    async with running(failsoft_app(system, routes=ROUTES, policy=policy), system) as client:
        assert (await client.post("/generate", json={"prompt": "a"})).json()["text"] == "5"
        answer = await client.post("/generate", json={"prompt": "abcd"})
        assert answer.status_code == 422


async def test_a_system_that_does_not_run() -> None:
    """Is told to whoever asks, before and after."""
    system = System()
    app = failsoft_app(system, routes=ROUTES)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://failsoft"
    ) as client:
        answer = await client.post("/generate", json={"prompt": "a"})
        assert answer.status_code == 503
        assert "Enter the System's block" in answer.json()["error"]
    async with running(app, system) as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/metrics")).status_code == 404
        health = (await client.get("/health")).json()
        assert (health["status"], health["checks"]) == ("healthy", [])
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://failsoft"
    ) as client:
        health_after = await client.get("/health")
        assert (health_after.status_code, health_after.json()["status"]) == (503, "critical")


def test_a_system_needs_routes() -> None:
    """What it will hold can't be known."""
    with pytest.raises(ValueError, match="a System needs routes"):
        failsoft_app(System())


async def test_a_tree_is_run_once() -> None:
    """By one app: two would stop it for each other."""
    app = failsoft_app(supervisor("root", child("text", TimeLeft)), routes=ROUTES)
    async with app.lifespan():
        with pytest.raises(RuntimeError, match="the tree runs already"):
            async with app.lifespan():
                raise AssertionError("not reached")


def test_a_port_that_is_taken() -> None:
    """Is told before anything starts."""
    app = failsoft_app(supervisor("root"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="Address already in use"):
            serve(app, port=port)
