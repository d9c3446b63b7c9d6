"""What an operator orders is carried out to its end, or refused in words; in this very process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from failsoft.actors import Actor, ExitReason, System, handles
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.supervisors import (
    StartChildWith,
    candidate,
    child,
    dynamic_supervisor,
    router,
    supervisor,
)

from .operating import operator_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

PRIMARY = "root/text/primary"


class Answering(Actor):
    """Answer at once; be slow to stop."""

    @handles(GenerateText)
    def generate(self, _request: GenerateText) -> TextReply:
        return TextReply("yes", "stop", Usage(1, 1))

    async def on_stop(self, _reason: ExitReason) -> None:
        await asyncio.sleep(3)


@pytest.fixture
async def client(system: System) -> AsyncIterator[httpx2.AsyncClient]:
    tree = supervisor(
        "root",
        router("text", candidate("primary", Answering), candidate("understudy", Answering)),
        child("notes", Answering, restart="temporary"),
        dynamic_supervisor("sessions", child("session", Answering)),
    )
    await system.spawn(tree.start, tree.id)
    async with operator_of(system) as client:
        yield client


async def order(
    client: httpx2.AsyncClient, name: str, path: str, **headers: str
) -> tuple[int, dict[str, Any]]:
    answer = await client.post(f"/operator/{name}", json={"path": path}, headers=headers)
    return answer.status_code, answer.json()


async def test_a_restart_is_not_left_half_done(client: httpx2.AsyncClient, system: System) -> None:
    """A deadline would pass between its two halves, and the model stay stopped for good."""
    answer = await order(client, "restart", PRIMARY, **{"X-Request-Timeout": "1"})
    assert answer == (200, {"done": True, "count": 1})
    assert system.find(PRIMARY) is not None


async def test_a_drain_is_not_left_half_done(client: httpx2.AsyncClient, system: System) -> None:
    """Nor would it be stopped, while it takes no requests."""
    answer = await order(client, "drain", PRIMARY, **{"X-Request-Timeout": "1"})
    assert answer == (200, {"done": True, "count": 1})
    assert system.find(PRIMARY) is None


async def test_operators_who_restart_the_same_at_once(
    client: httpx2.AsyncClient, system: System
) -> None:
    """Each of them is told that it was done, as it was."""
    answers = await asyncio.gather(*(order(client, "restart", PRIMARY) for _ in range(3)))
    assert answers == [(200, {"done": True, "count": 1})] * 3
    assert system.find(PRIMARY) is not None


async def test_a_path_without_a_length_drains_no_service(client: httpx2.AsyncClient) -> None:
    """What is sent in chunks is read as well."""

    async def body() -> AsyncIterator[bytes]:
        yield b'{"path": "%s"}' % PRIMARY.encode()

    kind = {"Content-Type": "application/json"}
    answer = await client.post("/operator/drain", content=body(), headers=kind)
    assert answer.status_code == 200
    assert (await client.get("/status")).json()["status"] == "up"


async def test_the_service_is_drained_by_an_empty_object_alone(client: httpx2.AsyncClient) -> None:
    """No body may be one that was lost on its way."""
    assert (await client.post("/operator/drain")).status_code == 415
    assert (await client.get("/status")).json()["status"] == "up"
    assert (await client.post("/operator/drain", json={})).status_code == 200
    assert (await client.get("/status")).json()["status"] == "draining"


async def test_what_would_not_come_back(client: httpx2.AsyncClient, system: System) -> None:
    """Isn't stopped: a supervisor forgets children that are temporary, or made from a template."""
    session = await system.ref("root/sessions").ask(StartChildWith())
    for path in ("root/notes", session.path):
        status, refused = await order(client, "restart", path)
        assert status == 422
        assert "starts it only once" in refused["details"]["field_errors"]["path"]
        assert system.find(path) is not None


@pytest.mark.parametrize(
    ("name", "path", "status", "words"),
    [
        ("restart", "root", 422, "is the top of the tree: restart the service"),
        ("restart", f"{PRIMARY}/x", 422, "is below no supervisor"),
        ("restart", "root/text/nobody", 404, "root/text has no child 'nobody'; see /tree."),
        ("drain", "root/text", 422, "is no model of a router's; these alone can be drained"),
        ("drain", "root/text/nobody", 404, "root/text has no child 'nobody'; see /tree."),
        ("quarantine/clear", "root", 422, "is no router"),
    ],
)
async def test_an_order_to_whom_it_is_not_for(
    client: httpx2.AsyncClient, name: str, path: str, status: int, words: str
) -> None:
    """Is refused in an operator's words, not in those of the code."""
    answered, refused = await order(client, name, path)
    assert answered == status
    assert words in refused["error"]
