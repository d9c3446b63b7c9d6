"""Bursts: times of overload, which come by chance."""

from __future__ import annotations

from random import Random
from typing import Final

# So many times as many callers, for so long, so long apart (seconds on the average).
BURST: Final = 5.0
_LASTS: Final = 3.0
_APART: Final = 20.0


class Bursts:
    """Tell when there is a burst, by chance. begun: how many there were."""

    def __init__(self, random: Random, now: float) -> None:
        self.begun = 0
        self._random = random
        self._begins = self._ends = now
        self._is_under_way = False
        self._draw(now)

    def is_one_at(self, now: float) -> bool:
        """Tell whether it is one now; of times that come in order."""
        if now >= self._ends:
            self._draw(now)
        if now < self._begins:
            return False
        self.begun += not self._is_under_way
        self._is_under_way = True
        return True

    def _draw(self, now: float) -> None:
        self._is_under_way = False
        self._begins = now + self._random.expovariate(1 / _APART)
        self._ends = self._begins + _LASTS
