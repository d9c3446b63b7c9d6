"""A limit that is learned from what was seen. Pure: it is told how long things took, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

# What was slow once is slow again, perhaps only when such a request comes again.
WINDOW = 3600.0


@dataclass
class LearnedLimit:
    """Give ``factor`` times the slowest of the last one or two hours, in seconds.

    Never less than ``least`` and never more than ``most``, which it is while nothing was seen.
    """

    factor: float
    least: float
    most: float
    _before: float = field(default=0.0, init=False)
    _now: float = field(default=0.0, init=False)
    _window_ends: float = field(default=-math.inf, init=False)

    @property
    def slowest(self) -> float:
        """Give how long the slowest took; 0 while nothing was seen."""
        return max(self._before, self._now)

    @property
    def limit(self) -> float:
        slowest = self.slowest
        return min(self.most, max(self.least, self.factor * slowest)) if slowest else self.most

    def observe(self, now: float, seconds: float) -> None:
        """Note that it took ``seconds`` this time."""
        if now >= self._window_ends:
            self._before, self._now = self._now, 0.0
            self._window_ends = now + WINDOW
        if seconds > self._now:
            self._now = seconds
