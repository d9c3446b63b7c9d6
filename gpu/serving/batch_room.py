"""How many requests are worked on at once: a bound, and less of it after memory ran out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class BatchRoomStatistics(msgspec.Struct, frozen=True):
    """Know the room of now: the limit, its bound, and how often memory ran out."""

    limit: int
    most: int
    shrunk: int


class BatchRoom:
    """Decide which requests fit. Halve the limit where a batch was too much; let it grow again.

    After a halving the limit grows by one each time as many requests as it has ended well
    (additive increase, multiplicative decrease, as TCP does it: Chiu and Jain, 1989).

    most: requests at once. most_tokens: of all together, each counted as long as the longest,
    since rows of a batch are padded to one length.
    """

    __slots__ = ("_ended", "_limit", "_most", "_most_tokens", "_shrunk")

    def __init__(self, most: int, most_tokens: int) -> None:
        self._most = most
        self._most_tokens = most_tokens
        self._limit = most
        self._ended = 0
        self._shrunk = 0

    def __repr__(self) -> str:
        return f"<BatchRoom {self._limit} of {self._most}, {self._most_tokens} tokens>"

    @property
    def limit(self) -> int:
        return self._limit

    def fits(self, running: Sequence[int], tokens: int, *, divisor: float = 1.0) -> bool:
        """Tell whether a request of ``tokens`` goes with those of ``running``. One alone does.

        divisor: of the requests at once, where load has each of them be one of fewer.
        """
        if not running:
            return True
        rows = len(running) + 1
        limit = min(self._limit, math.floor(self._most / divisor))
        return rows <= limit and rows * max(*running, tokens) <= self._most_tokens

    def shrink(self, running: int) -> None:
        """Halve the limit: ``running`` requests at once were too many."""
        self._limit = max(1, min(self._limit, running) // 2)
        self._ended = 0
        self._shrunk += 1

    def ended(self) -> None:
        """Note that a request ended well."""
        self._ended += 1
        if self._ended >= self._limit and self._limit < self._most:
            self._limit += 1
            self._ended = 0

    def statistics(self) -> BatchRoomStatistics:
        return BatchRoomStatistics(self._limit, self._most, self._shrunk)
