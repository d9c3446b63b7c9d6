"""First answers: how long a model took, of late, to begin to answer."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

import msgspec

# 0.07 * 100 is more than 7 in floats, and must not be the eighth.
_ROUNDING = 1e-9


class FirstAnswersStatistics(msgspec.Struct, frozen=True):
    """Count the times kept; ``quantile`` is in seconds, None below the minimum of them."""

    kept: int
    quantile: float | None


class FirstAnswers:
    """Keep the last ``size`` times to a first answer, and know their quantile.

    quantile: over 0 to 1, by nearest rank. minimum: of how many on it is told.
    Raise ValueError where these are out of range.
    """

    __slots__ = ("_in_order", "_minimum", "_quantile", "_size", "_times")

    def __init__(self, quantile: float, minimum: int, size: int = 100) -> None:
        if not 0 < quantile <= 1 or not 1 <= minimum <= size:
            raise ValueError("first answers need 0 < quantile <= 1 and 1 <= minimum <= size")
        self._quantile = quantile
        self._minimum = minimum
        self._size = size
        self._times: deque[float] = deque()
        self._in_order: list[float] = []

    def observe(self, seconds: float) -> None:
        """Take note of a time. Raise ValueError for one that can't be: below 0, or no number."""
        if not seconds >= 0:
            raise ValueError(f"a time to a first answer must be at least 0 s; it is {seconds}")
        if len(self._times) == self._size:
            del self._in_order[bisect_left(self._in_order, self._times.popleft())]
        self._times.append(seconds)
        insort(self._in_order, seconds)

    @property
    def quantile(self) -> float | None:
        """Give the time that this share of the first answers came within; None: too few yet."""
        kept = len(self._in_order)
        if kept < self._minimum:
            return None
        return self._in_order[max(0, math.ceil(self._quantile * kept - _ROUNDING) - 1)]

    def statistics(self) -> FirstAnswersStatistics:
        return FirstAnswersStatistics(len(self._in_order), self.quantile)

    def __repr__(self) -> str:
        known = self.quantile
        said = "unknown" if known is None else f"{known:.3g} s"
        return f"<FirstAnswers {len(self._in_order)} kept, quantile {self._quantile:g}: {said}>"
