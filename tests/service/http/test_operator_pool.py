"""What an operator orders of a pool: new replicas, and how many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.supervisors.routing.router_actors import Answer, Scripted

from failsoft.actors import Actor, System
from failsoft.supervisors import Pool, Recipe, candidate, router, supervisor

from .operating import operator_of

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

POOL = "root/text/pool"


class Maker:
    """Make replicas; ``fails`` says whether the next ones can load."""

    def __init__(self) -> None:
        self.fails = False
        self.made = 0

    def __call__(self) -> Actor:
        if self.fails:
            raise MemoryError("no room for it")
        self.made += 1
        script: list[Answer] = ["yes"]
        return Scripted(script, [])


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
async def client(system: System, maker: Maker) -> AsyncIterator[httpx2.AsyncClient]:
    """Give an operator, of a service whose only model is a pool of two."""
    make = lambda: Pool(Recipe(maker))  # noqa: E731
    tree = supervisor("root", router("text", candidate("pool", make, is_pool=True)))
    await system.spawn(tree.start, tree.id)
    async with operator_of(system) as client:
        yield client


async def test_a_rollout_is_answered_once_all_are_replaced(
    client: httpx2.AsyncClient, maker: Maker
) -> None:
    answer = await client.post("/operator/rollout", json={"path": POOL})
    assert (answer.status_code, answer.json()) == (200, {"done": True, "count": 2})
    assert maker.made == 4


async def test_a_pool_is_resized(client: httpx2.AsyncClient, maker: Maker) -> None:
    answer = await client.post("/operator/resize", json={"path": POOL, "replicas": 5})
    assert (answer.status_code, answer.json()) == (200, {"done": True, "count": 5})
    assert maker.made == 5


@pytest.mark.parametrize("order", ["rollout", "resize"])
async def test_what_can_not_be_done_is_told_with_its_reason(
    client: httpx2.AsyncClient, maker: Maker, order: str
) -> None:
    maker.fails = True
    body = {"path": POOL} if order == "rollout" else {"path": POOL, "replicas": 5}
    answer = await client.post(f"/operator/{order}", json=body)
    assert (answer.status_code, answer.json()["error_type"]) == (409, "not_done")
    assert "no room for it" in answer.json()["error"]


async def test_two_orders_at_once(client: httpx2.AsyncClient) -> None:
    body = {"path": POOL}
    answers = await asyncio.gather(*(client.post("/operator/rollout", json=body) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) in ([200, 200], [200, 409])


@pytest.mark.parametrize("path", ["root/text", "root", "root/text/pool/1"])
async def test_what_is_no_pool_has_no_replicas(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.post("/operator/rollout", json={"path": path})
    assert answer.status_code == 422
    assert "is no pool" in answer.json()["error"]


async def test_a_pool_is_looked_past_for_the_quarantine(client: httpx2.AsyncClient) -> None:
    """It keeps none: its router does."""
    answer = await client.get("/operator/quarantine")
    assert (answer.status_code, answer.json()) == (200, {"root/text": []})
