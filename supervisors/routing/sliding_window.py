"""Sliding windows: how many of the latest calls there were, failed and were slow."""

from __future__ import annotations

import math
from typing import Final, Protocol

from failsoft.supervisors.routing.breaker import CountWindow, TimeWindow

# What became of a call: none of these bits, one of them, or both.
WELL: Final = 0
FAILED: Final = 1
SLOW: Final = 2

SLICES: Final = 60


class SlidingWindow(Protocol):
    """Count the latest calls. The counts are as of the last call that was added."""

    calls: int
    failures: int
    slow: int

    def add(self, outcome: int, now: float) -> None:
        """Count a call that has just ended; forget those that it pushes out."""

    def clear(self) -> None:
        """Start with none."""


class LastCalls:
    """Count the last ``size`` calls: a ring of one byte a call, and running totals."""

    __slots__ = ("_next", "_ring", "_size", "calls", "failures", "slow")

    calls: int
    failures: int
    slow: int
    _next: int

    def __init__(self, size: int) -> None:
        self._size = size
        self.clear()

    def add(self, outcome: int, now: float) -> None:
        """Count a call; in a full window it takes the place of the oldest. O(1)."""
        place = self._next
        before = self._ring[place]
        if outcome != before:
            self._ring[place] = outcome
            self.failures += (outcome & FAILED) - (before & FAILED)
            self.slow += (outcome >> 1) - (before >> 1)
        if self.calls < self._size:
            self.calls += 1
        place += 1
        self._next = place if place < self._size else 0

    def clear(self) -> None:
        """Start with none."""
        self._ring = bytearray(self._size)
        self._next = self.calls = self.failures = self.slow = 0

    def __repr__(self) -> str:
        return f"<LastCalls {self.calls}/{self._size}: {self.failures} failed, {self.slow} slow>"


class LastSeconds:
    """Count the calls of the last ``seconds``: running totals, and counts for each slice of time.

    A slice is a sixtieth of the window, and leaves it as a whole: a call counts for ``seconds``,
    or up to one slice less.
    """

    __slots__ = (
        "_calls",
        "_failures",
        "_place",
        "_slice",
        "_slow",
        "_width",
        "calls",
        "failures",
        "slow",
    )

    calls: int
    failures: int
    slow: int
    _slice: float
    _place: int

    def __init__(self, seconds: float) -> None:
        self._width = seconds / SLICES
        self.clear()

    def add(self, outcome: int, now: float) -> None:
        """Count a call that ended ``now``. O(1): no slice is emptied more often than it began."""
        if now // self._width > self._slice:
            self._move_to(now // self._width)
        place = self._place
        self._calls[place] += 1
        self.calls += 1
        if outcome:
            self._failures[place] += outcome & FAILED
            self.failures += outcome & FAILED
            self._slow[place] += outcome >> 1
            self.slow += outcome >> 1

    def _move_to(self, slice: float) -> None:
        if slice - self._slice >= SLICES:
            self.clear()
        else:
            for passed in range(int(self._slice) + 1, int(slice) + 1):
                self._empty(passed % SLICES)
        self._slice = slice
        self._place = int(slice) % SLICES

    def _empty(self, place: int) -> None:
        self.calls -= self._calls[place]
        self.failures -= self._failures[place]
        self.slow -= self._slow[place]
        self._calls[place] = self._failures[place] = self._slow[place] = 0

    def clear(self) -> None:
        """Start with none."""
        self._calls = [0] * SLICES
        self._failures = [0] * SLICES
        self._slow = [0] * SLICES
        self._slice = -math.inf
        self._place = 0
        self.calls = self.failures = self.slow = 0

    def __repr__(self) -> str:
        seconds = self._width * SLICES
        return (
            f"<LastSeconds {seconds:g} s: {self.calls} calls, "
            f"{self.failures} failed, {self.slow} slow>"
        )


def open_window(window: CountWindow | TimeWindow) -> SlidingWindow:
    """Make the window that the configuration asks for."""
    if isinstance(window, CountWindow):
        return LastCalls(window.calls)
    return LastSeconds(window.seconds)
