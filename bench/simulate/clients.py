"""Clients: who asks for how much, and with how much patience."""

from __future__ import annotations

from random import Random

from bench.simulate.ask import Ask
from bench.simulate.model import ModelKind
from failsoft.messages import GenerateText

PATIENCE = (15.0, 30.0, 60.0)
TENANTS = ("", "north", "south", "east", "west")
LONGEST_ANSWER = 2048


class Clients:
    """Make asks by chance. Each draws the same numbers, whoever is to serve it."""

    def __init__(self, kind: ModelKind, chance: Random) -> None:
        self._kind = kind
        self._chance = chance
        self._asked = 0

    def pause(self, rate: float) -> float:
        """Give the seconds until the next one asks, where ``rate`` of them do in a second."""
        return self._chance.expovariate(rate)

    def ask(self, now: float) -> Ask:
        """Give what the next one asks for."""
        chance, mean, sigma = self._chance, self._kind.mean_tokens, self._kind.sigma
        tokens = int(mean * chance.lognormvariate(-sigma * sigma / 2, sigma)) + 1
        self._asked += 1
        request = GenerateText(
            f"question {self._asked}",
            max_tokens=min(tokens, LONGEST_ANSWER),
            priority=5 if chance.random() < 0.1 else 0,
            tenant=TENANTS[int(chance.random() * len(TENANTS))],
        )
        patience = PATIENCE[int(chance.random() * len(PATIENCE))]
        return Ask(request, now, patience, is_stream=chance.random() < 0.5)

    def share(self) -> float:
        """Give a number from 0 up to 1, by which it is settled whom the next one asks."""
        return self._chance.random()
