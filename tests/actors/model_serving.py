"""A supervised model with a worker process that does as a script says, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator

from failsoft.actors import ModelActor, Ref, System, Wear
from failsoft.gpu import WorkerSpec
from failsoft.messages import GenerateText
from failsoft.messages.events import ModelStateChanged
from failsoft.supervisors import NO_WAIT, Intensity, child, supervisor
from failsoft.testing import EventRecorder

HELLO = GenerateText("hello there")
PATIENT = 60.0


@contextlib.asynccontextmanager
async def serving(
    worker: WorkerSpec,
    *,
    queue_limit: int = 64,
    max_in_worker: int | None = 2,
    standby: bool = False,
    wear: Wear | None = None,
) -> AsyncIterator[tuple[System, Ref, EventRecorder]]:
    """Run one supervised model; give the system, the model's ref and the events."""
    start = functools.partial(
        ModelActor,
        worker,
        queue_limit=queue_limit,
        max_in_worker=max_in_worker,
        standby=standby,
        wear=wear or Wear(),
    )
    async with System() as system:
        events = EventRecorder(system)
        tree = supervisor(
            "root",
            child("model", start, shutdown=5.0),
            backoff=NO_WAIT,
            intensity=Intensity(max_restarts=5),
        )
        await system.spawn(tree.start, "root")
        yield system, system.ref("root/model"), events


async def busy(events: EventRecorder) -> None:
    """Wait until the model has had something to do."""
    await events.wait_until(
        lambda: any(change.after == "busy" for change in events.of(ModelStateChanged))
    )


async def taken_in(system: System, *, running: int, waiting: int) -> None:
    """Wait until the model has given its worker so many requests, and has so many that wait."""
    async with asyncio.timeout(PATIENT):
        while True:
            shown = system.tree()[0].children[0].shows
            if (shown["running"], shown["waiting"]) == (running, waiting):
                return
            await asyncio.sleep(0)


def pid_of(system: System) -> int:
    (root,) = system.tree()
    pid: int = root.children[0].shows["pid"]
    return pid
