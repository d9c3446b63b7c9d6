"""A stream on a Ray cluster goes on elsewhere, whatever is lost of where it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from tests.gpu.launched import still_alive_after, watch
from tests.gpu.ray.ray_cluster import LIMIT, RayCluster, actor_of, keeper_of

from failsoft.actors import System
from failsoft.gpu.placement import RayPlacement
from failsoft.gpu.script import Say, Script
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.messages.events import (
    DeadLettered,
    ModelStateChanged,
    RequestFinished,
    RequestResumed,
    WorkerReady,
)
from failsoft.supervisors import NO_WAIT, router
from failsoft.supervisors.pool import pool
from failsoft.testing import EventRecorder, Gate

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]

BEGINNING, END = "once upon a time ", "there was a node far away"
REQUEST = GenerateText("tell me", max_tokens=1000, temperature=0.0)
Loss = Callable[[RayCluster, int], None]


def kill_worker(_: RayCluster, worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def kill_keeper(_: RayCluster, worker: int) -> None:
    os.kill(keeper_of(worker), signal.SIGKILL)


def kill_actor(_: RayCluster, worker: int) -> None:
    os.kill(actor_of(worker), signal.SIGKILL)


def lose_node(cluster: RayCluster, worker: int) -> None:
    cluster.lose(cluster.node_of(worker))


@pytest.fixture(scope="module")
def pair(cluster: RayCluster) -> RayPlacement:
    """Give a place on either of two nodes more, each of which has room for both replicas."""
    for name in ("left", "right"):
        cluster.add(name, cpus=0, pair=2)
    return RayPlacement(address=cluster.address, cpus=0.0, resources={"pair": 1}, strategy="spread")


# The last loses a node for good.
@pytest.mark.parametrize("loss", [kill_worker, kill_keeper, kill_actor, lose_node])
async def test_it_goes_on_elsewhere(
    cluster: RayCluster, pair: RayPlacement, loss: Loss, gate: Gate
) -> None:
    """WK-01 Of two replicas one is lost mid-way: the text is whole, once, and told of once."""
    script = Script(otherwise=[Say(BEGINNING), gate.wait, Say(END)])
    worker = scripted(script, placement=pair)
    async with System() as system:
        events = EventRecorder(system)
        model = pool("model", worker, replicas=2, backoff=NO_WAIT, breaker=None)
        ref = await system.spawn(router("text", model).start, "text")
        await events.wait_until(lambda: len(events.of(WorkerReady)) == 2)
        async with ref.stream(REQUEST) as chunks:
            text = (await anext(chunks)).text
            busy = _busy(events)
            its_end = watch([busy])
            loss(cluster, busy)
            assert still_alive_after(its_end, LIMIT) == set()
            gate.open()
            text += "".join([chunk.text async for chunk in chunks])
        assert text == BEGINNING + END
        await events.wait_until(lambda: len(events.of(WorkerReady)) == 3)
    assert len(events.of(RequestResumed)) == 1
    assert [event.outcome for event in events.of(RequestFinished)] == ["ok"]
    assert events.of(DeadLettered) == []
    assert cluster.kept() == set()


def _busy(events: EventRecorder) -> int:
    """Give the pid of the worker that has something to do."""
    (path,) = {change.path for change in events.of(ModelStateChanged) if change.after == "busy"}
    (pid,) = (ready.pid for ready in events.of(WorkerReady) if ready.path == path)
    return pid
