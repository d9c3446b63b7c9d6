"""Ray: an actor is a process, of a cluster that is this machine alone.

What it does is done in other processes, too: so the clock tells what a caller waits.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from time import perf_counter
from typing import Any

# Before Ray is imported, which reads it: nothing is to be told to anybody.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray

SETTINGS = (
    "ray.init(num_cpus=1) without the dashboard; ray.get(actor.echo.remote(1)). An actor is a "
    "process, which ours is not: Ray's could be on another machine"
)


class Echo:
    def echo(self, number: int) -> int:
        return number


# Ray's types know nothing of methods that are called from afar.
_Remote: Any = ray.remote(Echo)


@contextlib.contextmanager
def cluster() -> Iterator[None]:
    """Run a cluster of one until the block is left."""
    # Its sockets lie in the folder, and their paths must be short.
    with tempfile.TemporaryDirectory(
        prefix="ray", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        ray.init(
            num_cpus=1,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
        try:
            yield
        finally:
            ray.shutdown()


async def ask(operations: int) -> float:
    actor = _Remote.remote()
    ray.get(actor.echo.remote(1))
    began = perf_counter()
    for _ in range(operations):
        ray.get(actor.echo.remote(1))
    elapsed = perf_counter() - began
    ray.kill(actor)
    return elapsed


async def spawn_ask_and_stop(operations: int) -> float:
    began = perf_counter()
    for _ in range(operations):
        actor = _Remote.remote()
        ray.get(actor.echo.remote(1))
        ray.kill(actor)
    return perf_counter() - began
