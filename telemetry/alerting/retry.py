"""Retries of a delivery: how often, how far apart, and for how long."""

from __future__ import annotations

import math
from random import Random

import msgspec


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Say how long a receiver is tried. Times are in seconds.

    tries: of each message. timeout: of one try.
    within: since the alerts were told; after that none is tried again, and none waits so long.
    base, factor: the nth wait is drawn from the upper half of ``base * factor**(n - 1)``: at once
        would be too early for a server that is being restarted. What the server itself asks for
        (Retry-After) is heeded.
    """

    tries: int = 4
    timeout: float = 10.0
    within: float = 60.0
    base: float = 2.0
    factor: float = 3.0

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise ValueError(f"tries must be at least 1; it is {self.tries}")
        for field in ("timeout", "within", "base"):
            value = getattr(self, field)
            if not 0 < value < math.inf:
                raise ValueError(f"{field} must be over 0 s, and finite; it is {value}")
        if not 1 <= self.factor < math.inf:
            raise ValueError(f"factor must be at least 1, and finite; it is {self.factor}")

    def wait(
        self, failed: int, passed: float, retry_after: float | None, random: Random
    ) -> float | None:
        """Give how long to wait for the next try; None where there is to be none.

        failed: tries of it so far. passed: seconds since the alerts were told.
        """
        if failed >= self.tries:
            return None
        try:
            longest = min(self.within, self.base * self.factor ** (failed - 1))
        except OverflowError:
            longest = self.within
        wait = max(random.uniform(longest / 2, longest), retry_after or 0.0)
        return wait if passed + wait < self.within else None
