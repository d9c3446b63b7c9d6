"""Served routes: the routers of a tree that a file describes, as a reload has them by now."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from failsoft.actors import Actor
from failsoft.service.config.candidates import candidate_of
from failsoft.service.config.lineup import Lineup
from failsoft.service.config.models import ModelConfig
from failsoft.service.config.secret import Secrets
from failsoft.supervisors import Candidate, ChildSpec, Degradation, child, router


class ServedRoute:
    """Know a route's router and its candidates.

    id: of the router. lineup: what it was last told to be. candidates: by the models' names, the
    preferred one first. A restart of the router makes it as it is by then.

    Raise ValueError, as what it is made of does.
    """

    def __init__(
        self, id: str, lineup: Lineup, degradation: Degradation | UnsetType, secrets: Secrets
    ) -> None:
        self.id = id
        self.lineup = lineup
        self._degradation = degradation
        self._secrets = secrets
        self.candidates = {
            name: candidate_of(name, config, secrets) for name, config in lineup.models.items()
        }

    @property
    def spec(self) -> ChildSpec:
        """Describe the router, as a child of the root."""
        return child(self.id, self._start)

    def successor(self, name: str, config: ModelConfig) -> Candidate:
        """Describe a model that is to follow the one of that name; it needs an id of its own."""
        taken = {each.id for each in self.candidates.values()}
        return candidate_of(name, config, self._secrets, free_id(name, taken))

    def again(self, name: str, config: ModelConfig) -> Candidate:
        """Describe a model that takes the place of the one of that name, replica by replica."""
        return candidate_of(name, config, self._secrets, self.candidates[name].id)

    def become(self, wanted: Lineup, come: Mapping[str, Candidate], stay: Collection[str]) -> None:
        """Take note of what it is by now.

        come: models that are there as they are wanted; of the others, those that were there before
        are as they were. stay: models that aren't wanted, and are there all the same.
        """
        candidates = {**self.candidates, **come}
        configs = {**self.lineup.models, **{name: wanted.models[name] for name in come}}
        names = [name for name in (*wanted.models, *stay) if name in candidates]
        self.candidates = {name: candidates[name] for name in names}
        self.lineup = Lineup(wanted.route, {name: configs[name] for name in names})

    def _start(self) -> Actor:
        requests = (self.lineup.answers,)
        return router(
            self.id, *self.candidates.values(), requests=requests, **self.options()
        ).start()

    def options(self) -> dict[str, Any]:
        """Give what the router is told besides its candidates and their requests."""
        route = self.lineup.route
        policy = route.policy()
        if self._degradation is not UNSET and policy.degradation == type(policy)().degradation:
            policy = msgspec.structs.replace(policy, degradation=self._degradation)
        said = {name: getattr(route, name) for name in ("backoff", "intensity", "cool_down")}
        return {
            "policy": policy,
            **{name: value for name, value in said.items() if value is not UNSET},
        }

    def __repr__(self) -> str:
        return f"<ServedRoute {self.id}: {', '.join(each.id for each in self.candidates.values())}>"


def free_id(name: str, taken: Collection[str]) -> str:
    """Give the name where it is free, else with the first number that is: ``name.2``."""
    others = (f"{name}.{number}" for number in itertools.count(2))
    return next(id for id in itertools.chain((name,), others) if id not in taken)
