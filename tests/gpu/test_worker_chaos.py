"""Kills at random moments, of all kinds of processes, from a seed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from random import Random

import pytest

from failsoft.gpu import WorkerHost
from failsoft.gpu.script import Progress, Script
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import Cancel, Ready

from .launched import Launched, Launcher, children_of, open_descriptors, still_alive_after, watch

pytestmark = pytest.mark.anyio

SPEC = scripted(Script(load=[Progress(1, 2), Progress(2, 2)]), stop_grace=0.05)


def family_of(reaper: int) -> list[int]:
    """Give the pids of a reaper and all below it."""
    below = [pid for child in children_of(reaper) for pid in family_of(child)]
    return [reaper, *below]


async def disturb(random: Random, host: WorkerHost, worker: Launched) -> None:
    """Do one bad thing at a random moment."""
    reaper = host.statistics().reaper_pid
    match random.choices(["kill", "stop", "family", "cancel"], [4, 2, 1, 1])[0]:
        case "kill":
            worker.process.kill("chaos")
        case "stop":
            await worker.process.stop()
        case "family" if reaper is not None:
            victim = random.choice(family_of(reaper))
            number = random.choice([signal.SIGKILL, signal.SIGTERM])
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, number)
        case _:
            worker.process.send(Cancel(random.randint(1, 3)))


async def live(random: Random, host: WorkerHost) -> tuple[Launched, list[int]]:
    """Start a worker, use it, and disturb it on the way; give it and what was asked of it."""
    worker = await Launcher(host)(SPEC)
    asked = []
    bad_moment = random.randrange(6)
    for moment in range(6):
        if moment == bad_moment:
            await disturb(random, host, worker)
        elif moment < 2:
            await worker.until(lambda: worker.gone or worker.is_told(Ready) or None)
        elif not worker.process.is_gone:
            asked.append(worker.run("one two three"))
            for _ in range(random.randrange(4)):
                await asyncio.sleep(0)
    await worker.process.stop()
    return worker, asked


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_dies_whenever(seed: int) -> None:
    """WK-01 WK-20 One on_gone each, at most one end a request, and nothing is left over."""
    print("seed", seed)
    random = Random(seed)
    before = open_descriptors()
    host = WorkerHost()
    for _ in range(10):
        lives = await asyncio.gather(*(live(random, host) for _ in range(4)))
        for worker, asked in lives:
            gone = await worker.ended()
            assert all(len(worker.ends_of(id)) <= 1 for id in asked)
            if gone.exit_status == 0 and worker.is_told(Ready):
                assert all(len(worker.ends_of(id)) == 1 for id in asked)
    assert host.statistics().workers == host.statistics().waiting == 0
    reaper = host.statistics().reaper_pid
    pidfds = watch([] if reaper is None else family_of(reaper))
    await host.aclose()
    assert still_alive_after(pidfds, 10) == set()
    assert open_descriptors() == before
