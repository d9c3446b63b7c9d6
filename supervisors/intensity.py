"""Restart intensity: how many restarts in how long are too many."""

from __future__ import annotations

from collections import deque

import msgspec


class Intensity(msgspec.Struct, frozen=True):
    """Bound restarts: more than ``max_restarts`` in ``within`` seconds (sliding) is too many."""

    max_restarts: int = 3
    within: float = 5.0

    def __post_init__(self) -> None:
        if self.max_restarts < 0 or not self.within > 0:
            raise ValueError("an intensity needs max_restarts >= 0 and within > 0 s")


class RestartWindow:
    """Count restarts in the window. Never holds more than the bound and one."""

    def __init__(self, intensity: Intensity) -> None:
        self._intensity = intensity
        self._times: deque[float] = deque(maxlen=intensity.max_restarts + 1)

    def add(self, now: float) -> bool:
        """Count a restart; tell whether there are too many now."""
        self._times.append(now)
        # It holds one more than the bound: where it is full, the oldest tells, without a count.
        is_full = len(self._times) > self._intensity.max_restarts
        return is_full and now - self._times[0] <= self._intensity.within

    def count(self, now: float) -> int:
        """Give how many restarts lie in the window that ends now."""
        return sum(now - time <= self._intensity.within for time in self._times)

    def clear(self) -> None:
        """Start with none."""
        self._times.clear()
