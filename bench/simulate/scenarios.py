"""Scenarios: what befalls the fleet, and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from bench.simulate.ask import Ask
from bench.simulate.family import Family
from bench.simulate.fleet import CLIENTS_BEGIN, Fleet
from bench.simulate.model import Model
from failsoft.messages import GenerateText

# Until then the fleet is well, and its clients are there for long enough to compare with.
TROUBLE: Final = 60.0
BEFORE: Final = (int(CLIENTS_BEGIN) + 15, int(TROUBLE))

KILL_EVERY = 3.0
SLOWNESS = 8.0
POISONED_EACH = 16
POISONERS = 5
POISON_EVERY = 2.0


class Scenario(msgspec.Struct, frozen=True):
    """Say what happens, from ``TROUBLE`` on. Times are in seconds.

    load: what clients ask for, as a share of the fleet's capacity; ``surge`` times as much during
    the trouble. trouble: how long that lasts. lasts: the whole, trouble included.
    happens: brings the trouble about, until the time given.
    """

    title: str
    load: float
    trouble: float
    lasts: int
    variants: tuple[str, ...]
    happens: Callable[[Fleet, float], None] | None = None
    surge: float = 1.0

    @property
    def over_at(self) -> float:
        return TROUBLE + self.trouble

    def prepare(self, fleet: Fleet) -> None:
        """Set the clients' rate, and have the trouble come."""
        fleet.rate = self.load * fleet.capacity

        def comes(_: None) -> None:
            fleet.rate *= self.surge
            if self.happens is not None:
                self.happens(fleet, self.over_at)

        def goes(_: None) -> None:
            fleet.rate = self.load * fleet.capacity
            fleet.left.clear()

        fleet.timeline.at(TROUBLE, comes, None)
        fleet.timeline.at(self.over_at, goes, None)


# -- what can happen


def _first_is_slow(fleet: Fleet, until: float) -> None:
    """Have the first model of each family work several times as slowly."""

    def heal(models: Sequence[Model]) -> None:
        for model in models:
            model.slowness = 1.0

    models = [next(iter(family.models.values())) for family in fleet.families]
    for model in models:
        model.slowness = SLOWNESS
        fleet.left[model] = 1 / SLOWNESS
    fleet.timeline.at(until, heal, models)


def _third_dies(fleet: Fleet, until: float) -> None:
    """Kill the workers of a third of the models, drawn by chance, again and again."""
    models = fleet.models
    timeline, chance = fleet.timeline, fleet.chance

    def kill(model: Model) -> None:
        if timeline.now < until:
            model.die()
            timeline.after(chance.expovariate(1 / KILL_EVERY), kill, model)

    for model in chance.sample(models, len(models) // 3):
        fleet.left[model] = 0.0
        timeline.after(chance.uniform(0, KILL_EVERY), kill, model)


def _all_fail(fleet: Fleet, until: float) -> None:
    """Have every request fail, at every model."""

    def heal(models: Sequence[Model]) -> None:
        for model in models:
            model.is_broken = False

    models = fleet.models
    for model in models:
        model.is_broken = True
        fleet.left[model] = 0.0
    fleet.timeline.at(until, heal, models)


def _poison_comes(fleet: Fleet, until: float) -> None:
    """Have some families' clients send one prompt again and again that takes workers down."""
    timeline, chance = fleet.timeline, fleet.chance

    def send(family: Family) -> None:
        if timeline.now < until:
            request = GenerateText("the one that kills", max_tokens=64)
            fleet.ask(family, Ask(request, timeline.now, 30.0, is_poison=True))
            timeline.after(chance.uniform(0.5, 1.5) * POISON_EVERY, send, family)

    for family in poisoned(fleet):
        for _ in range(POISONERS):
            timeline.after(chance.uniform(0, POISON_EVERY), send, family)


def poisoned(fleet: Fleet) -> list[Family]:
    """Give the families that get the poison."""
    return fleet.families[::POISONED_EACH]


def _all_go_down(fleet: Fleet, until: float) -> None:
    """Kill every worker, and have no model load: the disk is gone, or the network."""

    def heal(models: Sequence[Model]) -> None:
        for model in models:
            model.is_unreadable = False

    models = fleet.models
    for model in models:
        model.is_unreadable = True
        fleet.left[model] = 0.0
        model.die()
    fleet.timeline.at(until, heal, models)


SCENARIOS: Final[dict[str, Scenario]] = {
    "steady": Scenario(
        "Steady", 0.25, 60.0, 180, ("defaults", "wait for the first", "no admission", "plain")
    ),
    "slow": Scenario(
        "The first model of each route slow, 8 times",
        0.25,
        90.0,
        240,
        (
            "defaults",
            "no breaker",
            "wait for the first",
            "breaker on slow calls",
            "no admission",
            "hedged",
            "plain",
        ),
        _first_is_slow,
    ),
    "third": Scenario(
        "A third of the fleet dying",
        0.25,
        90.0,
        300,
        (
            "defaults",
            "no breaker",
            "long breaker",
            "no budget",
            "no jitter",
            "no poison guard",
            "wait for restarts",
            "plain",
        ),
        _third_dies,
    ),
    "storm": Scenario(
        "Everything fails for ten seconds, at high load",
        0.75,
        10.0,
        200,
        (
            "defaults",
            "no breaker",
            "long breaker",
            "no budget",
            "no jitter",
            "no admission",
            "plain",
        ),
        _all_fail,
    ),
    "poison": Scenario(
        "A poison prompt",
        0.25,
        90.0,
        240,
        ("defaults", "no poison guard", "no breaker", "plain"),
        _poison_comes,
    ),
    "overload": Scenario(
        "Ten times the capacity asked for, for a minute",
        0.5,
        60.0,
        200,
        ("defaults", "no admission", "less for each", "plain"),
        surge=20.0,
    ),
    "herd": Scenario(
        "All models down for a minute, then back",
        0.25,
        60.0,
        360,
        (
            "defaults",
            "no breaker",
            "long breaker",
            "no jitter",
            "plain",
        ),
        _all_go_down,
    ),
}
