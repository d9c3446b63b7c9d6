"""A Ray actor that is restarted for ever, and whose calls are sent again for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

# Before Ray is imported, which reads it: nothing is to be told to anybody.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray  # type: ignore[import-not-found]  # only the peers' environment has it

from bench.supervise.model import load, serving
from bench.supervise.peer import Unanswered

LOAD_SECONDS = 120.0
SETTINGS = (
    "ray.init(num_cpus=2, include_dashboard=False), one actor with max_restarts=-1 and"
    " max_task_retries=-1; awaited with the caller's time"
)


class Supervised:
    def __init__(self, name: str) -> None:
        self._model = load(name)

    def answer(self, prompt: str, steps: int) -> str:
        return self._model.answer(prompt, steps)


class RayActor:
    def __init__(self, actor: Any, folder: Path) -> None:
        self._actor = actor
        self._folder = folder

    async def ask(self, prompt: str, steps: int, seconds: float) -> str:
        try:
            asked = self._actor.answer.remote(prompt, steps)
            return str(await asyncio.wait_for(asked, seconds))
        except Exception as error:
            raise Unanswered(type(error).__name__) from error

    async def ready(self) -> None:
        await self.ask("hello", 1, LOAD_SECONDS)

    def worker(self) -> int:
        return serving(self._folder)

    def parent(self) -> int:
        return os.getpid()


@contextlib.asynccontextmanager
async def running(model: str, folder: Path) -> AsyncIterator[RayActor]:
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _temp_dir=str(folder),
    )
    try:
        remote: Any = ray.remote(max_restarts=-1, max_task_retries=-1)(Supervised)
        peer = RayActor(remote.remote(model), folder)
        await peer.ready()
        yield peer
    finally:
        await asyncio.to_thread(ray.shutdown)
