"""Breaker: when to stop asking a model that fails, and when to ask it again."""

from __future__ import annotations

import math
from typing import Final

import msgspec

SHORTEST_WINDOW: Final = 0.001


class CountWindow(msgspec.Struct, frozen=True, tag="count"):
    """Judge a model by its last ``calls`` calls, however long ago. Takes one byte a call."""

    calls: int = 100

    def __post_init__(self) -> None:
        if self.calls < 1:
            raise ValueError("a count window needs calls >= 1")


class TimeWindow(msgspec.Struct, frozen=True, tag="time"):
    """Judge a model by its calls of the last ``seconds``, however many.

    Time is cut into slices, so that memory doesn't grow with traffic: see ``LastSeconds``.
    """

    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not SHORTEST_WINDOW <= self.seconds < math.inf:
            raise ValueError(f"a time window needs seconds >= {SHORTEST_WINDOW}, finite")


class Breaker(msgspec.Struct, frozen=True):
    """Say what opens a model's circuit, how long it stays open, and what closes it again.

    It opens on whichever comes first; None turns that cause off.

    consecutive_failures: failures in a row.
    failure_rate: share of the window's calls that failed, over 0 and up to 1. It opens at it.
    slow_rate: share of the window's calls that were slow, well or failed. It opens at it. Where
        it is set, a slow probe is a failed one.
    slow_seconds: a call that took longer than this is slow.
    window: which calls the two shares are taken of. By default those of the last minute: what a
        model did an hour ago says little of now, and where calls are too rare for a minute to
        hold ``minimum_calls``, the failures in a row still open it.
    minimum_calls: with fewer calls in the window, no share opens it.
    open_seconds: how long it stays open the first time.
    growth: each opening in a row lasts so many times as long as the one before. They are in a
        row until it has stayed closed for ``longest_open``.
    longest_open: the most seconds that it stays open; then it is probed again.
    probes: calls let through at a time while it is half-open, and successes needed to close it.
    probe_seconds: a probe that hasn't ended after this long is given up as a failure. Set it
        above what the model's longest good call takes, or such a call can't close the circuit.
    """

    consecutive_failures: int | None = 5
    failure_rate: float | None = 0.5
    slow_rate: float | None = None
    slow_seconds: float = 60.0
    window: CountWindow | TimeWindow = TimeWindow()
    minimum_calls: int = 10
    open_seconds: float = 5.0
    growth: float = 2.0
    longest_open: float = 60.0
    probes: int = 1
    probe_seconds: float = 30.0

    def __post_init__(self) -> None:
        self._check_counts()
        self._check_shares()
        self._check_times()

    def _check_counts(self) -> None:
        if self.consecutive_failures is not None and self.consecutive_failures < 1:
            raise ValueError("a breaker needs consecutive_failures >= 1, or None to turn it off")
        if self.minimum_calls < 1 or self.probes < 1:
            raise ValueError("a breaker needs minimum_calls >= 1 and probes >= 1")
        if isinstance(self.window, CountWindow) and self.window.calls < self.minimum_calls:
            raise ValueError(
                f"a window of {self.window.calls} calls never holds minimum_calls "
                f"({self.minimum_calls}): make the window larger, or minimum_calls smaller"
            )

    def _check_shares(self) -> None:
        for name in ("failure_rate", "slow_rate"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                raise ValueError(f"a breaker needs 0 < {name} <= 1, or None to turn it off")

    def _check_times(self) -> None:
        for name in ("slow_seconds", "open_seconds", "longest_open", "probe_seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"a breaker needs {name} > 0 s, finite")
        if not 1 <= self.growth < math.inf or self.longest_open < self.open_seconds:
            raise ValueError(
                "a breaker needs a finite growth >= 1, and longest_open >= open_seconds"
            )

    def open_for(self, trip: int) -> float:
        """Give how many seconds the circuit stays open at its nth opening in a row (from 1)."""
        try:
            return min(self.longest_open, self.open_seconds * self.growth ** (trip - 1))
        except OverflowError:  # over what a float holds, and so over any longest
            return self.longest_open

    def reason_to_open(self, in_a_row: int, calls: int, failures: int, slow: int) -> str | None:
        """Give in words why these counts open a closed circuit; None where they don't."""
        if self.consecutive_failures is not None and in_a_row >= self.consecutive_failures:
            return f"{in_a_row} failures in a row"
        if calls < self.minimum_calls:
            return None
        # Divided, not multiplied: 7 / 100 is the number 0.07, but 0.07 * 100 is more than 7.
        if self.failure_rate is not None and failures / calls >= self.failure_rate:
            return f"{failures} of {calls} calls failed"
        if self.slow_rate is not None and slow / calls >= self.slow_rate:
            return f"{slow} of {calls} calls took longer than {self.slow_seconds:g} s"
        return None
