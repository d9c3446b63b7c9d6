"""First loads: whether models that were just started came to be ready, or failed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from failsoft.actors import ModelState, System
from failsoft.messages.events import ActorFailed, ModelStateChanged


class FirstLoads:
    """Hear what becomes of the models at ``paths``."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._ends = {path: asyncio.get_running_loop().create_future() for path in paths}

    def hear(self, event: ModelStateChanged | ActorFailed) -> None:
        # Of a model with replicas, the first one that is ready or fails tells.
        end = self._ends.get(event.path) or self._ends.get(event.path.rpartition("/")[0])
        if end is None or end.done():
            return
        match event:
            case ActorFailed(error=error):
                end.set_result(error)
            case ModelStateChanged(after=ModelState.READY.value):
                end.set_result(None)

    def give_up(self, reason: str) -> None:
        """Take those that aren't ready yet for failed."""
        for end in self._ends.values():
            if not end.done():
                end.set_result(reason)

    async def failures(self, limit: float) -> dict[str, str]:
        """Wait until each is ready or has failed; give path → why, of those that aren't ready."""
        await asyncio.wait(self._ends.values(), timeout=limit)
        return {
            path: said
            for path, end in self._ends.items()
            if (said := end.result() if end.done() else f"it isn't ready after {limit:g} s")
        }


@contextmanager
def first_loads(system: System, paths: Iterable[str]) -> Iterator[FirstLoads]:
    """Listen for them in the block, in which they are started."""
    loads = FirstLoads(paths)
    hear: Any = loads.hear
    subscription = system.events.subscribe(hear, ModelStateChanged, ActorFailed)
    try:
        yield loads
    finally:
        subscription.cancel()
