"""A running system for a test, with a seed, that must leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from random import Random

from failsoft.actors import System
from failsoft.testing.leaks import no_leaks


@contextlib.asynccontextmanager
async def running_system(*, seed: int = 0, check_leaks: bool = True) -> AsyncIterator[System]:
    """Run a system in the block, whose chance is seeded; raise LeakFound for what it leaves.

    For tests without the fixture ``system``. Where the tree fails, TreeFailed is raised from it.
    """
    if not check_leaks:
        async with System(random=Random(seed)) as system:
            yield system
        return
    async with no_leaks() as check, System(random=Random(seed)) as system:
        try:
            yield system
        finally:
            check.note_processes()


@contextlib.asynccontextmanager
async def hosted_system(
    seed: int, when_failed: Callable[[Exception], object]
) -> AsyncIterator[System]:
    """Run a system in a task of its own, for a fixture: its failure must not cancel the runner.

    when_failed: told of a failure, at once. It is raised at the end of the block.
    """
    loop = asyncio.get_running_loop()
    up: asyncio.Future[System] = loop.create_future()
    is_over = asyncio.Event()

    async def host() -> None:
        async with System(random=Random(seed)) as system:
            up.set_result(system)
            await is_over.wait()

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            when_failed(error)

    task = loop.create_task(host(), name="system")
    task.add_done_callback(ended)
    yield await up
    is_over.set()
    await task
