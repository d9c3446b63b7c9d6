"""Ready times: how long a model takes to load, and so when it will be ready again."""

from __future__ import annotations

from collections import deque

import msgspec

KEPT = 8


class ReadyTimesStatistics(msgspec.Struct, frozen=True):
    """Tell what is known of the last loads, in seconds; None before the first one."""

    loads: int
    median: float | None
    fastest: float | None


class ReadyTimes:
    """Learn from the last eight loads of a model how long the next one takes."""

    __slots__ = ("_began_at", "_fastest", "_is_ready", "_loads", "_median")

    def __init__(self) -> None:
        self._loads: deque[float] = deque(maxlen=KEPT)
        self._median = self._fastest = 0.0
        self._began_at: float | None = None
        self._is_ready = False

    def began(self, now: float) -> None:
        """Take note that the model's process begins to start."""
        self._began_at = now
        self._is_ready = False

    def ready(self, now: float) -> None:
        """Take note that the model is ready. Only what began is a load, and counts."""
        self._is_ready = True
        if self._began_at is None:
            return
        self._loads.append(max(0.0, now - self._began_at))
        self._began_at = None
        ordered = sorted(self._loads)
        middle = len(ordered) // 2
        self._median = (ordered[middle] + ordered[~middle]) / 2
        self._fastest = ordered[0]

    def lost(self) -> None:
        """Take note that the model is gone; a load under way tells nothing."""
        self._began_at = None
        self._is_ready = False

    def expected(self, now: float, starts_at: float | None) -> float | None:
        """Give the seconds until the model is probably ready; None where that isn't known.

        starts_at: when its supervisor will start it, where it is down.
        A load that is late is expected to take as long again as it is late by now.
        """
        if starts_at is None and self._is_ready:
            return 0.0
        since = self._since(now, starts_at)
        if since is None or not self._loads:
            return None
        return abs(self._median - since)

    def least(self, now: float, starts_at: float | None) -> float:
        """Give the seconds below which the model won't be ready: as if it were the fastest load.

        The wait for its start counts also where no load is known; 0 where nothing is.
        """
        since = self._since(now, starts_at)
        if since is None:
            return 0.0
        return max(0.0, self._fastest - since)

    def statistics(self) -> ReadyTimesStatistics:
        known = bool(self._loads)
        return ReadyTimesStatistics(
            len(self._loads), self._median if known else None, self._fastest if known else None
        )

    def _since(self, now: float, starts_at: float | None) -> float | None:
        """Give the seconds since the load began; below 0 where it has yet to begin."""
        if starts_at is not None:
            return min(0.0, now - starts_at)
        return None if self._began_at is None else max(0.0, now - self._began_at)

    def __repr__(self) -> str:
        state = "ready" if self._is_ready else "down" if self._began_at is None else "loading"
        known = f"{self._median:.3g} s" if self._loads else "unknown"
        return f"<ReadyTimes {state}, a load takes {known}>"
