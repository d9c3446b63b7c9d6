"""Reloading: a running service is brought to what its file says by now, and drops no request.

What is new is loaded before what was there ends. Where it can't be loaded, what was there stays.
Where the file is read again meanwhile, what it doesn't want any more isn't waited for.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import structlog

from failsoft.actors import ActorError
from failsoft.messages import InferenceError
from failsoft.service.config.build import Built, keys_of, paths_of
from failsoft.service.config.file import Loaded, load
from failsoft.service.config.lineup import (
    Lineup,
    Newcomer,
    change_of,
    difference,
    lineups,
    sections_that_need_a_restart,
)
from failsoft.service.config.mistakes import BadConfig
from failsoft.service.config.models import ModelConfig, WorkerModel
from failsoft.service.config.orders import Orders
from failsoft.service.config.served_route import ServedRoute, free_id
from failsoft.service.config.telemetry_tree import ROOT
from failsoft.supervisors import Candidate, OrderCandidates

log = structlog.get_logger("failsoft.reload")


class Reloader:
    """Read ``file`` again, and have the service be as it says. loaded, built: as it was started."""

    def __init__(self, file: Path, loaded: Loaded, built: Built) -> None:
        self._file: Final = file
        self._started: Final = loaded
        self._routes = dict(built.routes)
        self._leaving: list[ServedRoute] = []
        self._gateway: Final = built.app.gateway
        self._orders: Orders
        self._is_at_work = False
        self._next: Loaded | None = None
        self._newcomer: Newcomer | None = None

    async def reload(self) -> None:
        """Tell what is to be done, and do it; where the file is wrong, tell all that is.

        What went wrong on the way is told as well, and the service goes on. Called while another
        call is at work, leave it to that one: it gives up what it loads, unless it is still wanted.
        """
        try:
            self._next = load(self._file)
        except BadConfig as error:
            for mistake in error.mistakes:
                log.error("reload.refused", mistake=str(mistake))
            return
        if self._is_at_work:
            if self._newcomer is not None and self._is_unwanted(self._newcomer):
                self._orders.give_up()
            return
        self._is_at_work = True
        try:
            while self._next is not None:
                wanted, self._next = self._next, None
                await self._try_to_bring_to(wanted)
        finally:
            self._is_at_work = False

    async def _try_to_bring_to(self, wanted: Loaded) -> None:
        self._orders = Orders(self._gateway.system, self._gateway.policy.max_timeout)
        try:
            await self._bring_to(wanted)
        except (ActorError, InferenceError, ValueError, OSError) as error:
            log.error("reload.broken_off", reason=str(error))

    def _is_unwanted(self, newcomer: Newcomer) -> bool:
        return self._next is not None and not newcomer.is_in(lineups(self._next.tree))

    async def _bring_to(self, wanted: Loaded) -> None:
        running = {name: route.lineup for name, route in self._routes.items()}
        needs_restart = sections_that_need_a_restart(self._started.tree, wanted.tree)
        after = lineups(wanted.tree)
        found = difference(running, after, needs_restart)
        for line in found.lines():
            log.info("reload.change", change=line)
        if "service" not in needs_restart:
            self._gateway.know(keys_of(wanted.tree.service))
        have_come = True
        for name, lineup in after.items():
            old = self._routes.get(name)
            if old is None or change_of(old.lineup, lineup).is_replaced:
                have_come &= await self._begin(name, lineup)
            else:
                await self._change(name, old, lineup)
        # Who is to go stays where one of those that may have been to follow hasn't come.
        go = found.removed if have_come else ()
        self._leaving += [self._routes.pop(name) for name in go]
        order = [*after, *(name for name in self._routes if name not in after)]
        self._routes = {name: self._routes[name] for name in order if name in self._routes}
        self._gateway.serve_as(paths_of(self._routes))
        while self._leaving:
            await self._orders.retire_route(self._leaving[-1])
            self._leaving.pop()
        if self._next is None:
            log.info("reload.done", routes=list(self._routes))

    async def _begin(self, name: str, lineup: Lineup) -> bool:
        """Start a route's router, in place of the one that there is; tell whether it has come."""
        taken = {route.id for route in (*self._routes.values(), *self._leaving)}
        tree, secrets = self._started
        new = ServedRoute(free_id(name, taken), lineup, tree.degradation, secrets)
        add = functools.partial(self._orders.add_route, new)
        if not await self._comes(Newcomer(name, lineup), add):
            return False
        if name in self._routes:
            self._leaving.append(self._routes[name])
        self._routes[name] = new
        self._gateway.serve_as(paths_of(self._routes))
        return True

    async def _change(self, name: str, route: ServedRoute, wanted: Lineup) -> None:
        """Bring a route's candidates to what is wanted: those that come first, then who goes."""
        path = f"{ROOT}/{route.id}"
        change = change_of(route.lineup, wanted)
        before = dict(route.candidates)
        come = {}
        for model in (*change.added, *change.changed):
            new, add = self._successor(path, route, model, wanted.models[model])
            if await self._comes(Newcomer(name, wanted, model), add):
                come[model] = new
        # Who is to go stays where one of those that were to follow hasn't come.
        is_whole = len(come) == len(change.added) + len(change.changed)
        stay = {each.id for each in come.values()}
        go = [model for model in change.changed if model in come and before[model].id not in stay]
        go += [*change.removed] * is_whole
        route.become(wanted, come, [model for model in change.removed if not is_whole])
        ids = tuple(each.id for each in route.candidates.values())
        await self._orders.ask(path, OrderCandidates(ids))
        for model in go:
            await self._orders.retire_model(path, before[model].id)

    def _successor(
        self, path: str, route: ServedRoute, name: str, wanted: ModelConfig
    ) -> tuple[Candidate, Callable[[], Awaitable[bool]]]:
        """Give a candidate as it is wanted, and what has it come."""
        before = route.lineup.models.get(name)
        if isinstance(before, WorkerModel) and before.rolls_to(wanted):
            new = route.again(name, wanted)
            roll_out: Any = self._orders.roll_out  # both are of one kind, in workers
            return new, functools.partial(roll_out, f"{path}/{new.id}", before, wanted)
        new = route.successor(name, wanted)
        return new, functools.partial(self._orders.add_model, path, new)

    async def _comes(self, newcomer: Newcomer, add: Callable[[], Awaitable[bool]]) -> bool:
        """Load what is to come; tell whether it has. What isn't wanted any more isn't begun."""
        if self._is_unwanted(newcomer):
            return False
        self._newcomer = newcomer
        try:
            return await add()
        finally:
            self._newcomer = None
