"""Run a check that blocks in a thread of its own, and only one of it at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from failsoft.actors import System
from failsoft.telemetry.daemon_thread import DaemonThread
from failsoft.telemetry.health_check import Unhealthy


def in_thread(function: Callable[[], object]) -> Callable[[System], Awaitable[object]]:
    """Make a check's ``run`` of a plain function that may block.

    A thread can't be ended from outside. Where the function hangs, its thread stays, and no second
    one is begun beside it: until it ends, the check fails. It doesn't keep the process from ending.
    """
    thread = DaemonThread("failsoft check")

    async def run(_system: System) -> object:
        if thread.is_busy:
            raise Unhealthy("its last run still hangs in its thread")
        return await asyncio.get_running_loop().run_in_executor(thread, function)

    return run
