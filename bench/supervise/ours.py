"""Ours: a router with one model, set up with its defaults; also with a spare worker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import structlog

from bench.supervise.model import IMPORTS
from bench.supervise.peer import Unanswered
from failsoft.actors import System
from failsoft.gpu import WorkerSpec
from failsoft.messages import GenerateText, InferenceError
from failsoft.messages.events import StandbyPromoted, StandbyReady, WorkerReady
from failsoft.supervisors import Backoff, model, router, supervisor
from failsoft.supervisors.backoff import RESTARTS

# A step of the model takes 10 ms. Without a limit, it is learned, and is a minute at least.
STEP_LIMIT = 2.0
HEALTHY_AFTER = 10.5
SETTINGS = (
    "supervisor, router and one model in a worker process, with the defaults: the first restart"
    " at once, then a backoff; heartbeats for 5 s; first_step_limit and hang_limit"
    f" {STEP_LIMIT:g} s (steps take 10 ms)"
)


class Ours:
    def __init__(self, system: System, *, spare: bool) -> None:
        self._system = system
        self._has_spare = spare
        self._pid = 0
        self._up_since = 0.0
        self._is_up, self._spare_is_up = asyncio.Event(), asyncio.Event()
        system.events.subscribe(self._serves, WorkerReady, StandbyPromoted)
        system.events.subscribe(lambda _event: self._spare_is_up.set(), StandbyReady)

    async def ask(self, prompt: str, steps: int, seconds: float) -> str:
        request = GenerateText(prompt, max_tokens=steps)
        try:
            return (await self._system.ref("root/text").ask(request, timeout=seconds)).text
        except InferenceError as error:
            raise Unanswered(error.kind) from error

    async def up(self) -> None:
        await self._is_up.wait()
        if self._has_spare:
            await self._spare_is_up.wait()

    async def ready(self) -> None:
        await self.up()
        await self.ask("hello", 1, 10.0)
        # A blow of its own, and not one of a row, before whose restarts the waits are longer.
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._up_since + HEALTHY_AFTER - loop.time())

    def worker(self) -> int:
        return self._pid

    def parent(self) -> int:
        return os.getpid()

    def _serves(self, event: WorkerReady | StandbyPromoted) -> None:
        self._pid = event.pid
        self._up_since = asyncio.get_running_loop().time()
        self._is_up.set()
        if isinstance(event, StandbyPromoted):
            self._spare_is_up.clear()


@contextlib.asynccontextmanager
async def running(
    name: str, folder: Path, *, backoff: Backoff = RESTARTS, spare: bool = False
) -> AsyncIterator[Ours]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    limit = STEP_LIMIT if name == "steady" else None
    worker = WorkerSpec(
        engine="bench.supervise.engine:Supervised",
        options={"model": name},
        preload=("bench.supervise.engine", *IMPORTS[name]),
        first_step_limit=limit,
        hang_limit=limit,
    )
    text = router("text", model("model", worker, standby=spare), backoff=backoff)
    tree = supervisor("root", text)
    async with System() as system:
        ours = Ours(system, spare=spare)
        await system.spawn(tree.start, tree.id)
        await ours.up()
        yield ours
