"""The demo's faults: they come to the worker that has the request."""

from __future__ import annotations

import os
import signal

import pytest

from failsoft.actors import System
from failsoft.gpu.script import Say, Script, Stall
from failsoft.gpu.scripted import scripted
from failsoft.messages import WorkerLost
from failsoft.messages.events import WorkerReady
from failsoft.service.demo_faults import Faults
from failsoft.service.demo_requests import CHUNKS_BEFORE_FAULT, DemoRequest
from failsoft.supervisors.pool import pool
from failsoft.testing import EventRecorder, running_system

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]

# Neither ends by itself, so that both are at work when the fault comes.
HIT = DemoRequest(1, 1, "hit this one", streamed=True, fault="kill")
BESIDE = DemoRequest(2, 1, "not this one", streamed=True)
TALKS = scripted(Script(otherwise=[Say("word " * CHUNKS_BEFORE_FAULT), Stall()]))


def faults_of(system: System) -> Faults:
    faults = Faults(system, "primary", lambda _: None, lambda pid: os.kill(pid, signal.SIGKILL))
    system.events.subscribe(faults.hear)
    return faults


@pytest.mark.parametrize("seed", [0, 1])
async def test_of_two_replicas_at_work_the_one_with_the_request_is_hit(seed: int) -> None:
    """Whichever of them chance has given it to."""
    async with running_system(seed=seed) as system:
        events, faults = EventRecorder(system), faults_of(system)
        ref = await system.spawn(pool("primary", TALKS, replicas=2).start, "primary")
        await events.wait_until(lambda: len(events.of(WorkerReady)) == 2)
        faults.at_send(HIT)
        async with ref.stream(HIT.message(), timeout=60.0) as chunks:
            await anext(chunks)
            faults.at_send(BESIDE)
            async with ref.stream(BESIDE.message(), timeout=60.0) as others:
                await anext(others)
                faults.at_chunk(HIT, CHUNKS_BEFORE_FAULT)
                with pytest.raises(WorkerLost) as lost:
                    async for _ in chunks:
                        pass
    assert "SIGKILL" in lost.value.details["reason"]
