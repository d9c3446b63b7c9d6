"""A worker on a Ray cluster is lost, whatever of it is lost: told once, with nothing left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from tests.gpu.launched import PATIENCE, Launched, Launcher, still_alive_after, watch
from tests.gpu.ray.ray_cluster import LIMIT, RayCluster, actor_of, keeper_of, placed, placer

from failsoft.gpu.cluster import ray_places
from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.cluster.ray_places import RayPlace
from failsoft.gpu.script import Say, Script, When
from failsoft.gpu.scripted import scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop")]

TALK = scripted(Script(rules=[When("long", [Say("word", 0.01, times=100_000)])]))


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[RayPlace]:
    """Give the places that a placer has heard of."""
    places: asyncio.Queue[RayPlace] = asyncio.Queue()
    hear = RayPlace.heard

    def heard(place: RayPlace) -> None:
        hear(place)
        places.put_nowait(place)

    monkeypatch.setattr(RayPlace, "heard", heard)
    return places


@contextlib.asynccontextmanager
async def asking(
    launch: Launcher, heard: asyncio.Queue[RayPlace], **fields: object
) -> AsyncIterator[Launched]:
    """Have a worker ask for a place; give it once the placer is at it."""
    task = asyncio.create_task(placed(launch, **fields)(TALK))
    async with asyncio.timeout(PATIENCE):
        place = await heard.get()
    # From now on it is waited for as long as the cluster may take.
    until = place.limit.when()
    assert until is not None
    assert until > asyncio.get_running_loop().time() + 300.0
    yield launch.launched[-1]
    await task


def kill_worker(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def kill_keeper(worker: int) -> None:
    os.kill(keeper_of(worker), signal.SIGKILL)


def kill_actor(worker: int) -> None:
    os.kill(actor_of(worker), signal.SIGKILL)


def kill_placer(_: int) -> None:
    os.kill(placer(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (kill_worker, "it was killed by SIGKILL"),
        (kill_keeper, "its keeper is gone: it closed its wire"),
        (kill_actor, "its keeper is gone: it closed its wire"),
        (kill_placer, "its keeper is gone: it closed its wire"),
    ],
)
async def test_what_is_killed(launch: Launcher, loss: Callable[[int], None], reason: str) -> None:
    """WK-01 In the midst of a stream: one end, nothing left, and the next one is placed."""
    worker = await launch.ready(TALK)
    await worker.first_chunk_of(worker.run("long"))
    pidfds = watch([worker.pid, keeper_of(worker.pid), actor_of(worker.pid)])
    loss(worker.pid)
    gone = await worker.ended()
    assert (gone.reason, gone.was_asked) == (reason, False)
    assert still_alive_after(pidfds, LIMIT) == set()
    again = await launch.ready(TALK)
    assert (await again.reply_of(again.run("hello", stream=False))).text == "hello"


async def test_its_node_is_lost(launch: Launcher, cluster: RayCluster) -> None:
    """WK-01 Ray's own processes there are killed, and what they had started ends by itself."""
    cluster.add("lost", cpus=0)
    worker = await placed(launch, cpus=0.0, resources={"lost": 1}).ready(TALK)
    await worker.first_chunk_of(worker.run("long"))
    pidfds = watch([worker.pid, keeper_of(worker.pid), actor_of(worker.pid)])
    cluster.lose("lost")
    gone = await worker.ended()
    assert gone.reason == "its keeper is gone: it closed its wire"
    assert still_alive_after(pidfds, LIMIT) == set()


# -- the placer


async def test_the_placer_is_killed_while_it_places(
    launch: Launcher, heard: asyncio.Queue[RayPlace]
) -> None:
    """Who waits is told; the next one is placed by another."""
    async with asking(launch, heard, gpus=8.0) as waiting:
        os.kill(placer(), signal.SIGKILL)
        assert "the Ray cluster's driver ended" in (await waiting.ended()).reason
    await placed(launch, gpus=0.0).ready(TALK)


async def test_a_placer_that_stands_still(
    launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers serve on, and the next one is placed by another; it ends with its last."""
    worker = await launch.ready(TALK)
    stopped = placer()
    os.kill(stopped, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(ray_places, "_HEARD_LIMIT", 0.2)
        gone = await (await launch(TALK)).ended()
        assert "the Ray cluster's driver does not answer" in gone.reason
    other = await launch.ready(TALK)
    for one in (worker, other):
        assert (await one.reply_of(one.run("hello", stream=False))).text == "hello"
    pidfds = watch([stopped])
    await worker.process.stop()
    assert still_alive_after(pidfds, LIMIT) == set()


async def test_a_place_that_is_given_up_while_it_is_made(
    launch: Launcher, heard: asyncio.Queue[RayPlace]
) -> None:
    """Its worker is told to stop: it was never there, and what it asked for is free at once."""
    async with asking(launch, heard, cpus=2.0, resources={"one": 10}) as wanted:
        await wanted.process.stop()
        assert (await wanted.ended()).pid is None
    # Less than a keeper would wait for its service.
    await placed(launch, place_limit=30.0).ready(TALK)


async def test_closed_while_it_places(
    launch: Launcher, heard: asyncio.Queue[RayPlace], places: ClusterHost
) -> None:
    async with asking(launch, heard, gpus=8.0) as waiting:
        await places.aclose()
        assert (await waiting.ended()).pid is None
