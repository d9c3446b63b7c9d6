"""The fleet: a thousand modelled models in families, their clients, and what befalls them."""

from __future__ import annotations

from random import Random

from bench.simulate.ask import Ask
from bench.simulate.clients import PATIENCE, Clients
from bench.simulate.family import Family, World, candidates_of
from bench.simulate.ledger import Ledger
from bench.simulate.model import Model, ModelKind, Storage
from bench.simulate.plain import Plain
from bench.simulate.routed import Routed
from bench.simulate.timeline import Timeline
from bench.simulate.variants import Variant

CANDIDATES = 3
CLIENTS_BEGIN = 20.0
# The share of the fleet's models that can load at a time without making each other slower.
LOADED_AT_ONCE = 0.1


class Fleet:
    """Hold the families of one run.

    left: model → the share of its capacity that a fault leaves it, where it is less than all.
    """

    def __init__(self, families: int, variant: Variant, seconds: int, seed: int) -> None:
        self.kind = ModelKind()
        self.timeline = Timeline()
        self.ledger = Ledger(seconds)
        self.chance = Random(f"{seed} faults")
        self.left: dict[Model, float] = {}
        self.rate = 0.0
        self.is_open = True
        self._clients = Clients(self.kind, Random(f"{seed} clients"))
        self._storage = Storage()
        world = World(self.kind, self.timeline, self.ledger, self._storage)
        candidates = candidates_of(CANDIDATES)
        self.families: list[Family] = []
        for number in range(families):
            randoms = Random(f"{seed} policy {number}"), Random(f"{seed} loads {number}")
            if variant.policy is None:
                self.families.append(Plain(world, candidates, *randoms))
            else:
                self.families.append(Routed(world, candidates, variant, *randoms))

    @property
    def models(self) -> list[Model]:
        return [model for family in self.families for model in family.models.values()]

    @property
    def capacity(self) -> float:
        """Give how many requests a second the whole fleet can answer."""
        return len(self.families) * CANDIDATES * self.kind.capacity

    def capacity_left(self, rate: float) -> float:
        """Give how many of ``rate`` requests a second can be answered with what faults leave."""
        each, capacity = rate / len(self.families), self.kind.capacity
        return sum(
            min(each, capacity * sum(self.left.get(model, 1.0) for model in family.models.values()))
            for family in self.families
        )

    def run(self) -> None:
        """Start all, let clients come, and end when the last of them has an answer."""
        seconds = len(self.ledger.arrived)
        for family in self.families:
            family.begin()
        self.timeline.at(CLIENTS_BEGIN, self._first_client, None)
        for second in range(seconds):
            self.timeline.at(second + 0.5, self._look, second)
        self.timeline.run(seconds)
        self.is_open = False
        self.timeline.run(seconds + max(PATIENCE) + 1)

    def ask(self, family: Family, ask: Ask) -> None:
        """Have a client ask."""
        self.ledger.came(ask)
        family.arrive(ask)

    def _first_client(self, _: None) -> None:
        # From here on: that all models are loaded at first is no part of what is measured.
        self._storage.at_once = max(1.0, len(self.models) * LOADED_AT_ONCE)
        self._next_client(None)

    def _next_client(self, _: None) -> None:
        if not self.is_open:
            return
        self.timeline.after(self._clients.pause(self.rate), self._next_client, None)
        ask = self._clients.ask(self.timeline.now)
        self.ask(self.families[int(self._clients.share() * len(self.families))], ask)

    def _look(self, second: int) -> None:
        for family in self.families:
            family.look()
        self.ledger.waiting[second] = sum(family.waiting() for family in self.families)
