"""Replicated: a pool's replicas as its children: they come, show themselves to be well, and go."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from failsoft.actors import Actor, ExitReason, Timer, handles
from failsoft.actors.signals import ChildReadiness
from failsoft.messages.events import BreakerChanged
from failsoft.supervisors.plan import Phase
from failsoft.supervisors.pool.choosing import Affinity
from failsoft.supervisors.pool.replica import Replica, Replicas
from failsoft.supervisors.routing.breaker import Breaker
from failsoft.supervisors.routing.operate import Steered
from failsoft.supervisors.spec import ChildSpec
from failsoft.supervisors.steps import AddChild, DropChild, Exited, StopChild, SupervisorInput

# Of an order that nobody waits for.
_NOBODY = 0
_Start = Callable[[], Actor]


class Coming(msgspec.Struct):
    """Know the replica that is to come. timer: goes off where that takes too long."""

    id: str
    timer: Timer


class Recipe(msgspec.Struct):
    """Say what a pool is made of. It outlives the pool's incarnations: a rollout changes it.

    start: makes a replica: an actor that handles the pool's requests. replicas: how many.
    """

    start: _Start
    replicas: int = 2

    def __post_init__(self) -> None:
        if self.replicas < 1:
            raise ValueError(f"a pool needs at least one replica; it has {self.replicas}")


class Replicated(Steered[Replica]):
    """Know which replicas are ready, and have single ones come and go."""

    # They are equals: no one needs another, and one by one a hundred workers would take minutes.
    ends_together = True

    def __init__(
        self,
        recipe: Recipe,
        affinity: Affinity | None,
        breaker: Breaker | None,
        shutdown: float | None,
        **options: Any,
    ) -> None:
        self._recipe = recipe
        ids = [str(number) for number in range(1, recipe.replicas + 1)]
        self._shutdown = shutdown
        super().__init__([self._spec(id, recipe.start) for id in ids], **options)
        self._starts: dict[int, _Start] = {0: recipe.start}
        self._affinity = affinity
        self._breaker = breaker
        self._closing: ExitReason | None = None
        self._made = recipe.replicas
        self._generations = dict.fromkeys(ids, 0)
        self._coming: Coming | None = None
        # Whether requests had been sent to it: else it has never been one of them.
        self._leaving: dict[str, bool] = {}

    def _spec(self, id: str, start: _Start) -> ChildSpec:
        return ChildSpec(id=id, start=start, shutdown=self._shutdown)

    async def on_start(self) -> None:
        self.context.defer_ready()
        self._now = self.context.clock.now
        self._replicas = Replicas(self.context.random, self._affinity, self._breaker)
        await super().on_start()

    def on_shutdown(self, reason: ExitReason) -> bool:
        self._closing = reason
        return super().on_shutdown(reason)

    # -- to be answered by a pool

    def _came(self, id: str) -> None:
        raise NotImplementedError

    def _came_not(self, id: str, why: str) -> None:
        raise NotImplementedError

    def _went(self, id: str) -> None:
        raise NotImplementedError

    def _recall(self, replica: Replica) -> None:
        raise NotImplementedError

    # -- coming and going

    def _bring(self, generation: int, ready_limit: float) -> None:
        """Have another replica come; ``_came`` or ``_came_not`` tells of it."""
        self._made += 1
        while str(self._made) in self.machine.children:  # somebody's own, by StartChild
            self._made += 1
        id = str(self._made)
        self._generations[id] = generation
        late = functools.partial(self._fail_to_come, f"it was not ready in {ready_limit:g} s")
        self._coming = Coming(id, self.context.call_after(ready_limit, late))
        self._step(AddChild(_NOBODY, self._spec(id, self._starts[generation])))

    def _let_in(self) -> None:
        """Have requests sent to the replica that has come: it is well."""
        coming, self._coming = self._coming, None
        assert coming is not None
        coming.timer.cancel()
        self._look_at(self._replicas.targets[coming.id])
        self._came(coming.id)

    def _fail_to_come(self, why: str) -> None:
        """Have done with the replica that was to come."""
        coming, self._coming = self._coming, None
        if coming is None or self._closing is not None:
            return
        coming.timer.cancel()
        self._leaving[coming.id] = False
        self._end_leaving()
        self._came_not(coming.id, why)

    def _retire(self, id: str) -> None:
        """Have a replica go once it has nothing in hand; ``_went`` tells of it."""
        self._leaving[id] = True
        replica = self._replicas.targets.get(id)
        if replica is not None:
            replica.is_drained = True
            self._look_at(replica)
        self._end_leaving()

    def _end_leaving(self) -> None:
        """End those that have nothing in hand any more, and forget those that are down."""
        for id in tuple(self._leaving):
            replica = self._replicas.targets.get(id)
            if replica is not None and replica.attempts:
                continue
            if self._phase_of(id) not in (None, Phase.STOPPING):
                self._step(StopChild(_NOBODY, id))
            if self._phase_of(id) is Phase.STOPPED:
                self._step(DropChild(_NOBODY, id))
            if self._phase_of(id) is None and id in self._leaving:
                was_one_of_them = self._leaving.pop(id)
                self._generations.pop(id, None)
                if was_one_of_them:
                    self._went(id)

    @property
    def _is_steady(self) -> bool:
        """Tell whether no replica is about to come or to go."""
        return self._coming is None and not self._leaving

    def _phase_of(self, id: str) -> Phase | None:
        child = self.machine.children.get(id)
        return None if child is None else child.phase

    # -- replicas, as children

    def _steered(self) -> Mapping[str, Replica]:
        return self._replicas.targets

    def _in_hand(self) -> int:
        return self._replicas.in_hand

    @property
    def _live(self) -> list[str]:
        """Give those that aren't about to go or to come, in order."""
        coming = None if self._coming is None else self._coming.id
        return [id for id in self.machine.children if id not in self._leaving and id != coming]

    @handles(ChildReadiness)
    def _child_readiness(self, message: ChildReadiness) -> None:
        replica = self._replicas.targets.get(message.child.name)
        if replica is not None:
            self._look_at(replica)
        coming = self._coming
        # It may be that it was ready, and isn't any more.
        if coming is not None and message.child.name == coming.id and message.child.is_ready:
            self._is_up(coming.id)

    def _is_up(self, id: str) -> None:
        """Take note that the replica that is to come says that it is ready."""
        self._let_in()

    def _look_around(self) -> None:
        for replica in self._replicas.targets.values():
            self._look_at(replica)

    def _look_at(self, replica: Replica) -> None:
        """See whether it is ready: where it fails, it says so before the message of that comes.

        At one, not at all: each tells of itself, and to look at thousands for each would be long.
        """
        cell = self._cells.get(replica.id)
        is_coming = self._coming is not None and self._coming.id == replica.id
        is_ready = cell is not None and cell.is_ready and not replica.is_drained
        self._replicas.set_ready(replica, is_ready and not is_coming)
        self.context.set_ready(self._replicas.ready > 0)

    def _start(self, id: str) -> None:
        replica = self._replicas.targets.get(id)
        if replica is None:
            replica = self._replicas.add(id)
        replica.is_drained = id in self._leaving
        super()._start(id)

    def _step(self, event: SupervisorInput) -> None:
        super()._step(event)
        replicas = self._replicas.targets
        if isinstance(event, Exited):
            self._has_ended(event.id, event.reason)
        for id in replicas.keys() - self.machine.children.keys():
            self._replicas.remove(id)
            self._generations.pop(id, None)
        if self._leaving and not isinstance(event, StopChild | DropChild | AddChild):
            self._end_leaving()

    def _has_ended(self, id: str, reason: ExitReason) -> None:
        replica = self._replicas.targets.get(id)
        if replica is not None:
            self._look_at(replica)
            replica.ended(is_failure=reason.is_abnormal, now=self._now())
            self._heed_circuit(replica)
            self._recall(replica)
        if self._coming is not None and self._coming.id == id:
            self._fail_to_come(f"it ended: {reason}")

    # -- circuits

    def _heed_circuit(self, replica: Replica) -> None:
        """Tell where the circuit is in another state than before."""
        change = replica.news()
        if change is not None:
            self.context.publish(BreakerChanged, model=replica.id, **change.told)

    def _force(self, target: Replica, state: Literal["open", "closed"] | None) -> None:
        if target.circuit is not None:
            target.circuit.force(state, self._now())
            self._heed_circuit(target)

    def _reset(self, target: Replica) -> None:
        if target.circuit is not None:
            target.circuit.reset(self._now())
            self._heed_circuit(target)
