"""What an actor of somebody's own shows of itself takes down nothing but itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from failsoft.actors import Actor, System, handles
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.service.http import FailsoftApp, failsoft_app, hashed
from failsoft.service.http.sampler import Sampler
from failsoft.service.http.served_models import routes_of
from failsoft.supervisors import candidate, child, router, supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

TOKEN = "an-operator-of-the-tests"


class Answering(Actor):
    @handles(GenerateText)
    def generate(self, _request: GenerateText) -> TextReply:
        return TextReply("yes", "stop", Usage(1, 1))


class Election(Actor):
    """Show what has the names of other things."""

    def inspect(self) -> dict[str, Any]:
        return {
            "candidates": ["Ada", "Grace"],
            "degradation_level": "none",
            "load": "75 %",
            "strategy": "by acclamation",
            "children": 3,
        }


@pytest.fixture
async def app(system: System) -> FailsoftApp:
    # The first of the tree, so that it is what would be found.
    tree = supervisor(
        "root", child("election", Election), router("text", candidate("a", Answering))
    )
    await system.spawn(tree.start, tree.id)
    return failsoft_app(system, routes=routes_of(system.tree()), operator_hash=hashed(TOKEN))


@pytest.fixture
async def client(app: FailsoftApp) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx2.ASGITransport(app)
    base = "http://failsoft"
    async with httpx2.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
        yield client


@pytest.mark.parametrize(
    "path",
    ["/health", "/livez", "/readyz", "/startupz", "/status", "/tree", "/operator/quarantine"],
)
async def test_each_endpoint_answers(client: httpx2.AsyncClient, path: str) -> None:
    """A pod must not be taken out of use for a word that an actor chose."""
    assert (await client.get(path)).status_code == 200


async def test_the_status_is_the_trees(client: httpx2.AsyncClient) -> None:
    """Not the actor's: it is no router, and measures no load."""
    told = (await client.get("/status")).json()
    assert (told["breakers"], told["degradation_level"]) == ({"root/text/a": "closed"}, "full")
    models = (await client.get("/v1/models")).json()["data"]
    assert [each["id"] for each in models] == ["text"]


async def test_the_live_page_goes_on(app: FailsoftApp) -> None:
    """With a row for it, as for any other."""
    picture = json.loads((await Sampler(app.gateway).take()).body)
    assert [row["path"] for row in picture["rows"]] == [
        "root",
        "root/election",
        "root/text",
        "root/text/a",
    ]
    assert (picture["level"], picture["load"]) == ("full", None)
