"""A model's workers: the one that serves, the spare that stands by, and those that are ending."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

import msgspec

from failsoft.actors.exit import ExitReason
from failsoft.actors.model_worker import ModelWorker, WorkerOwner
from failsoft.actors.standby import Standby
from failsoft.gpu import WorkerSpec
from failsoft.messages.events import StandbyPromoted

if TYPE_CHECKING:
    from failsoft.actors.context import Context


class ModelWorkers:
    """Have one worker serve, and know all that live.

    serving: the one that requests go to, once it is ready.
    """

    serving: ModelWorker

    def __init__(self, spec: WorkerSpec, owner: WorkerOwner, *, has_standby: bool) -> None:
        self._spec = spec
        self._owner = owner
        self._has_standby = has_standby
        self._standby: Standby | None = None
        self._alive: set[ModelWorker] = set()

    def __repr__(self) -> str:
        return f"<ModelWorkers {sorted(self._alive, key=repr)}>"

    def start(self, context: Context) -> None:
        """Start the one that is to serve."""
        self._context = context
        if self._has_standby:
            self._standby = Standby(context, functools.partial(self._make, is_spare=True))
        self.serving = self._make()

    def shows(self) -> dict[str, Any]:
        """Give what the one that serves tells of itself, and how far the spare is."""
        if not hasattr(self, "serving"):
            return {"pid": None, "node": None}
        return {
            "pid": self.serving.pid,
            "node": self.serving.node,
            **self.serving.threads,
            "standby": None if self._standby is None else self._standby.state,
            **msgspec.structs.asdict(self.serving.numbers),
            **self.serving.info,
        }

    def start_anew(self) -> None:
        """Have the spare serve, however far it has loaded; a new worker where there is none."""
        spare = None if self._standby is None else self._standby.take()
        if spare is not None and spare.is_ready:
            self._context.publish(StandbyPromoted, pid=spare.pid or 0)
        self.serving = self._make() if spare is None else spare

    def promote(self) -> ModelWorker | None:
        """Have the spare serve from now on; None where none is ready."""
        if self._standby is None or not self._standby.is_ready:
            return None
        self.start_anew()
        return self.serving

    def fill_standby(self, *, is_idle: bool) -> None:
        """Start a spare where one is to be kept, and isn't there, and has room.

        is_idle: the one that serves has nothing in hand.
        """
        if self._standby is not None:
            self._standby.fill(beside=self.serving, is_idle=is_idle)

    def lost_spare(self, worker: ModelWorker) -> None:
        if self._standby is not None:
            self._standby.lost(worker)

    def gone(self, worker: ModelWorker) -> None:
        self._alive.discard(worker)

    async def stop(self, reason: ExitReason) -> None:
        """Have all end; return when they are gone."""
        if reason.is_abnormal:
            for worker in self._alive:
                worker.kill(str(reason))
        await asyncio.gather(*(worker.stop() for worker in self._alive))

    def _make(self, *, is_spare: bool = False) -> ModelWorker:
        worker = ModelWorker(self._spec, self._context, self._owner, is_spare=is_spare)
        self._alive.add(worker)
        return worker
