"""Sharing: some services, the nodes that they share, and their clients, from start to end."""

from __future__ import annotations

from itertools import accumulate
from random import Random

import msgspec

from bench.simulate.clients import PATIENCE, Clients
from bench.simulate.family import World
from bench.simulate.ledger import Ledger
from bench.simulate.model import ModelKind, Storage
from bench.simulate.services.node import Node
from bench.simulate.services.scenarios import TROUBLE, Scenario
from bench.simulate.services.service import Service
from bench.simulate.services.setups import Setup
from bench.simulate.timeline import Timeline

CLIENTS_BEGIN = 20.0


class Seen(msgspec.Struct):
    """Hold what was seen once a second.

    limits: of all services together, how many requests they would have in work at once.
    queued: requests that wait in the nodes. in_line: those that wait in the services.
    """

    limits: list[int] = []
    queued: list[int] = []
    in_line: list[int] = []


class Sharing:
    """Hold the services and the nodes of one run. workers: how many there are."""

    def __init__(
        self, setup: Setup, scenario: Scenario, services: int, workers: int, seed: int
    ) -> None:
        self.timeline = Timeline()
        self.seen = Seen()
        self.scenario = scenario
        slots = workers * ModelKind().slots
        kind = ModelKind(slots=slots) if setup.is_one_server else ModelKind()
        world = World(kind, self.timeline, Ledger(scenario.lasts), Storage())
        self.nodes = [
            Node(world, setup.server, f"{seed} node {number}")
            for number in range(1 if setup.is_one_server else workers)
        ]
        self.capacity = len(self.nodes) * kind.capacity
        policy = setup.policy_for(services, kind.slots)
        self.services = [
            Service(
                self.nodes,
                self.timeline,
                policy,
                setup.max_concurrent,
                Ledger(scenario.lasts),
                Random(f"{seed} service {number}"),
            )
            for number in range(services)
        ]
        self._clients = Clients(kind, Random(f"{seed} clients"))
        self._up_to: list[float] = []

    def run(self) -> None:
        """Start all, let clients come, and end when the last of them has an answer.

        Raise AssertionError where one has none in the end, or two.
        """
        timeline, scenario = self.timeline, self.scenario
        for node in self.nodes:
            node.begin()
        for service in self.services:
            service.begin()
        self._set_loads(False)
        timeline.at(CLIENTS_BEGIN, self._next_client, None)
        timeline.at(TROUBLE, self._set_loads, True)
        timeline.at(scenario.over_at, self._set_loads, False)
        for second in range(scenario.lasts):
            timeline.at(second + 0.5, self._look, None)
        timeline.run(scenario.lasts)
        self._up_to = []
        timeline.run(scenario.lasts + max(PATIENCE) + 1)
        if left := sum(service.ledger.open for service in self.services):
            raise AssertionError(f"{left} asks have no outcome")

    def _set_loads(self, in_trouble: bool) -> None:
        loads = self.scenario.loads(len(self.services), in_trouble=in_trouble)
        self._up_to = [load * self.capacity for load in accumulate(loads)]
        if self.scenario.fails:
            self.nodes[0].model.is_broken = in_trouble

    def _next_client(self, _: None) -> None:
        if not self._up_to:
            return
        rate = self._up_to[-1]
        self.timeline.after(self._clients.pause(rate), self._next_client, None)
        ask, drawn = self._clients.ask(self.timeline.now), self._clients.share() * rate
        self.services[sum(up_to <= drawn for up_to in self._up_to)].ask(ask)

    def _look(self, _: None) -> None:
        self.seen.limits.append(sum(service.limit for service in self.services))
        self.seen.queued.append(sum(node.waiting() for node in self.nodes))
        self.seen.in_line.append(sum(service.in_line for service in self.services))
