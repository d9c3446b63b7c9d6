"""Orders to the supervisors of a running tree: children that come, load and leave again."""

from __future__ import annotations

import asyncio
from typing import Any, Final, TypeVar

import structlog
from msgspec import UNSET

from failsoft.actors import ActorError, RemoteModel, System
from failsoft.messages import InferenceError, InferenceTimeout, Request
from failsoft.service.config.candidates import InWorker, replica_of
from failsoft.service.config.first_loads import FirstLoads, first_loads
from failsoft.service.config.served_route import ServedRoute
from failsoft.service.config.telemetry_tree import ROOT
from failsoft.supervisors import (
    AwaitIdle,
    Candidate,
    ChildSpec,
    DeleteChild,
    DrainCandidate,
    Resize,
    Rollout,
    StartChild,
    TerminateChild,
)

log = structlog.get_logger("failsoft.reload")

AnswerT = TypeVar("AnswerT")

# Seconds. Whoever hangs in a load is found by its worker's handle long before.
_LOAD_LIMIT: Final = 3600.0
# Whether a server elsewhere is there isn't up to us; it is given a chance to be.
_REMOTE_LIMIT: Final = 30.0
_ORDER_LIMIT: Final = 120.0
# A request that had found its route before that was taken from the names may yet come there.
_SETTLING: Final = 1.0


class Orders:
    """Have children started and ended. drain_limit: seconds that what is in hand may take."""

    def __init__(self, system: System, drain_limit: float) -> None:
        self._system = system
        self._drain_limit = drain_limit
        self._loads: FirstLoads | None = None

    def give_up(self) -> None:
        """Wait no longer for what is loading now: it hasn't come."""
        if self._loads is not None:
            self._loads.give_up("it isn't wanted any more")

    async def ask(self, path: str, order: Request[AnswerT], limit: float = _ORDER_LIMIT) -> AnswerT:
        """Give an order. Raise ActorError where it is refused, InferenceTimeout."""
        return await self._system.ref(path).ask(order, timeout=limit)

    async def add_model(self, router: str, spec: Candidate) -> bool:
        """Start a candidate; once its first load has ended, tell whether it is ready."""
        failures = await self._start(router, spec, {f"{router}/{spec.id}": spec})
        if failures:
            await self._drop(router, spec.id)
        return failures == {}

    async def add_route(self, route: ServedRoute) -> bool:
        """Start a router; once its models' first loads have ended, tell whether one is ready."""
        path = f"{ROOT}/{route.id}"
        models = {f"{path}/{each.id}": each for each in route.candidates.values()}
        failures = await self._start(ROOT, route.spec, models)
        if failures is not None and len(failures) == len(models):
            await self._drop(ROOT, route.id)
        return failures is not None and len(failures) < len(models)

    async def roll_out(self, path: str, before: InWorker, after: InWorker) -> bool:
        """Have a pool's replicas be of another model; tell whether they are.

        Where there is no room for as many as are wanted, there are fewer.
        """
        try:
            if not before.differs_in_size_alone(after):
                log.info("reload.rolling_out", path=path)
                await self.ask(path, Rollout(replica_of(after)), _LOAD_LIMIT)
        except (ActorError, InferenceError) as error:
            log.error("reload.not_rolled_out", path=path, reason=str(error))
            return False
        try:
            if after.replicas is not UNSET and after.replicas != before.replicas:
                await self.ask(path, Resize(after.replicas), _LOAD_LIMIT)
        except (ActorError, InferenceError) as error:
            log.error("reload.not_resized", path=path, reason=str(error))
        return True

    async def retire_model(self, router: str, id: str) -> None:
        """End a candidate, once what it has in hand is done."""
        log.info("reload.draining", path=f"{router}/{id}")
        await self._drained(router, DrainCandidate(id))
        await self._drop(router, id)

    async def retire_route(self, route: ServedRoute) -> None:
        """End a router that nobody knows any more, once what it has in hand is done."""
        path = f"{ROOT}/{route.id}"
        log.info("reload.draining", path=path)
        await self._drained(path, AwaitIdle())
        await asyncio.sleep(_SETTLING)
        await self._drained(path, AwaitIdle())
        await self._drop(ROOT, route.id)

    async def _start(
        self, parent: str, spec: ChildSpec, models: dict[str, Candidate]
    ) -> dict[str, str] | None:
        """Start a child; give the paths of the models that didn't come to be ready, and why.

        None where it was refused: then it isn't there, or another one is that mustn't be touched.
        """
        limit = _REMOTE_LIMIT if all(map(_is_elsewhere, models.values())) else _LOAD_LIMIT
        with first_loads(self._system, models) as loads:
            self._loads = loads
            try:
                await self.ask(parent, StartChild(spec))
            except (ActorError, InferenceError) as error:
                log.error("reload.not_started", path=f"{parent}/{spec.id}", reason=str(error))
                late = isinstance(error, InferenceError)  # it may yet be started
                return dict.fromkeys(models, str(error)) if late else None
            failures = await loads.failures(limit)
        for path, reason in failures.items():
            log.error("reload.not_ready", path=path, reason=reason)
        return {path: why for path, why in failures.items() if not _is_elsewhere(models[path])}

    async def _drained(self, path: str, order: Request[None]) -> None:
        try:
            await self.ask(path, order, self._drain_limit)
        except InferenceTimeout:
            log.warning("reload.not_drained", path=path, seconds=self._drain_limit)

    async def _drop(self, parent: str, id: str) -> None:
        orders: tuple[Request[Any], ...] = (TerminateChild(id), DeleteChild(id))
        for order in orders:
            try:
                await self.ask(parent, order)
            except (ActorError, InferenceError) as error:
                # What is to go is gone already, or can't be stopped now: the rest goes on.
                log.warning("reload.not_ended", path=f"{parent}/{id}", reason=str(error))
                return


def _is_elsewhere(spec: Candidate) -> bool:
    return spec.made_class is not None and issubclass(spec.made_class, RemoteModel)
