"""Supervised models whose workers are at other places: what their callers see of a loss."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator

import pytest
from tests.gpu.launched import children_of, name_of, still_alive_after, watch

from failsoft.actors import System
from failsoft.gpu import WorkerSpec
from failsoft.gpu.placement import CommandPlacement
from failsoft.gpu.script import Say, Script
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText, TextChunk
from failsoft.messages.events import ChildRestarted, RequestResumed, WorkerEnded, WorkerReady
from failsoft.supervisors import NO_WAIT, router
from failsoft.supervisors.pool import pool
from failsoft.testing import EventRecorder, Gate

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]

PATIENT = 60.0
BEGINNING = "once upon a time there was a keeper "
END = "who kept a worker on a machine far away "


def talks(gate: Gate) -> WorkerSpec:
    """Tell the tale up to the gate, and the rest once that is open."""
    script = Script(otherwise=[Say(BEGINNING), gate.wait, Say(END)])
    return scripted(script, placement=CommandPlacement(python=sys.executable))


def keepers() -> dict[int, int]:
    """Give the keepers that this process has started, by their worker."""
    found = [pid for pid in children_of(os.getpid()) if name_of(pid) == "failsoft-keeper"]
    return {worker: keeper for keeper in found for worker in children_of(keeper)}


def everybody() -> set[int]:
    return {*keepers(), *keepers().values()}


async def rest(chunks: AsyncIterator[TextChunk]) -> str:
    return "".join([chunk.text async for chunk in chunks])


@pytest.mark.parametrize("replicas", [1, 2])
async def test_a_stream_goes_on_when_its_workers_keeper_is_killed(
    replicas: int, gate: Gate
) -> None:
    """WK-01 On another replica, or on the same one once it is restarted; no word twice or missing.

    And nothing is left at the place that was lost, nor, in the end, anywhere.
    """
    async with System() as system:
        events = EventRecorder(system)
        tales = pool("tales", talks(gate), replicas=replicas, backoff=NO_WAIT, breaker=None)
        ref = await system.spawn(router("text", tales).start, "text")
        await events.wait_until(lambda: len(events.of(WorkerReady)) == replicas)
        before = watch(everybody())
        async with ref.stream(GenerateText("tell me", seed=1), timeout=PATIENT) as chunks:
            told = (await anext(chunks)).text
            busy = [
                shown
                for root in system.tree()
                for node in root.walk()
                if (shown := node.shows).get("running")
            ]
            (worker,) = {shown["pid"] for shown in busy if "pid" in shown}
            assert {shown["node"] for shown in busy if "node" in shown} == {"127.0.0.1"}
            its_end = watch([worker])
            os.kill(keepers()[worker], signal.SIGKILL)
            assert still_alive_after(its_end, 2.0) == set()
            gate.open()
            told += await rest(chunks)
        assert told == BEGINNING + END
        assert [event.tokens > 0 for event in events.of(RequestResumed)] == [True]
        (ended,) = events.of(WorkerEnded)
        assert (ended.pid, ended.asked) == (worker, False)
        assert "its keeper is gone" in ended.reason
        await events.wait_until(lambda: len(events.of(WorkerReady)) == replicas + 1)
        assert len(events.of(ChildRestarted)) == 1
        later = watch(everybody() - before.keys())
    assert still_alive_after({**before, **later}, 2.0) == set()
