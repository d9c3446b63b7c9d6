"""Backoff: how long to wait before the next restart."""

from __future__ import annotations

import math
from random import Random

import msgspec


class Backoff(msgspec.Struct, frozen=True):
    """Wait longer each time: exponential, capped, with full jitter.

    The nth wait is drawn evenly from 0 to ``base * factor**(n - 1)``, at most ``cap`` (seconds).
    The jitter spreads over the whole range up to the cap, so that many who failed together
    don't come back together. Without ``jitter`` it is that maximum itself.
    immediate: so many restarts come before the first wait: what fails once in a long time, as most
        do, needn't wait to be there again (as in OTP, and of Kubernetes' containers).
    reset_after: seconds of health after which the count starts again; None stands for twice
        the last wait's maximum, at least 10 s.
    """

    base: float = 1.0
    factor: float = 2.0
    cap: float = 60.0
    jitter: bool = True
    immediate: int = 0
    reset_after: float | None = None

    def __post_init__(self) -> None:
        numbers = (self.base, self.factor, self.cap)
        if not all(map(math.isfinite, numbers)) or min(self.base, self.cap) < 0 or self.factor < 1:
            raise ValueError("a backoff needs base >= 0 s, factor >= 1 and cap >= 0 s, all finite")
        if self.immediate < 0:
            raise ValueError(f"immediate must be at least 0; it is {self.immediate}")

    def longest(self, attempt: int) -> float:
        """Give the most seconds that the wait before restart ``attempt`` (from 1) can take."""
        if attempt <= self.immediate:
            return 0.0
        try:
            return min(self.cap, self.base * self.factor ** (attempt - self.immediate - 1))
        except OverflowError:  # over what a float holds, and so over any cap
            return self.cap if self.base else 0.0

    def delay(self, attempt: int, random: Random) -> float:
        """Draw the wait before restart ``attempt`` (from 1), in seconds."""
        longest = self.longest(attempt)
        return random.uniform(0, longest) if self.jitter else longest

    def is_healthy_after(self, attempt: int, seconds: float) -> bool:
        """Tell whether a child that has been up for ``seconds`` starts from the base again."""
        if self.reset_after is not None:
            return seconds >= self.reset_after
        return seconds >= max(10.0, 2 * self.longest(max(1, attempt)))


NO_WAIT = Backoff(base=0.0)
RESTARTS = Backoff(immediate=1)
"""What supervisors wait before restarts, where nothing else is said."""
