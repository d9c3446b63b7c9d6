"""Budget: how many retries a service can afford, as a share of what it answers well."""

from __future__ import annotations

import math

import msgspec

# Ten tenths make less than one in floats; they are to buy a retry all the same.
_ROUNDING = 1e-9


class Budget(msgspec.Struct, frozen=True):
    """Bound retries to a share of the successes, so that they never multiply an outage.

    Each retry costs a token.
    ratio: tokens that each success earns.
    most: tokens held at most, and at the start; 0 allows no retry at all.
    per_second: tokens that come by themselves, so that a quiet service isn't left without.

    The idea is that of gRPC's retry throttling and of Finagle's retry budget.
    """

    ratio: float = 0.1
    most: float = 10.0
    per_second: float = 0.1

    def __post_init__(self) -> None:
        numbers = (self.ratio, self.most, self.per_second)
        if not all(map(math.isfinite, numbers)) or min(numbers) < 0 or 0 < self.most < 1:
            raise ValueError(
                "a budget needs ratio >= 0, per_second >= 0 and most >= 1 (or 0: no retries), "
                "all finite"
            )


class BudgetStatistics(msgspec.Struct, frozen=True):
    """Count successes, retries paid for and retries refused.

    tokens: those that there were when a retry was last asked for, and those earned since.
    """

    tokens: float
    successes: int
    spent: int
    refused: int


class TokenBucket:
    """Hold the tokens of a budget. It starts full."""

    __slots__ = (
        "_at",
        "_most",
        "_per_second",
        "_ratio",
        "_refused",
        "_spent",
        "_successes",
        "_tokens",
    )

    def __init__(self, budget: Budget, now: float) -> None:
        self._ratio = budget.ratio
        self._per_second = budget.per_second
        self._tokens = self._most = budget.most
        self._at = now
        self._successes = self._spent = self._refused = 0

    def earn(self) -> None:
        """Take note of a success."""
        self._successes += 1
        tokens = self._tokens + self._ratio
        self._tokens = tokens if tokens < self._most else self._most

    def spend(self, now: float) -> bool:
        """Pay for a retry; tell whether there was enough to."""
        tokens = self.tokens(now)
        if now > self._at:
            self._at = now
        has_enough = tokens >= 1 - _ROUNDING
        if has_enough:
            self._tokens = tokens - 1 if tokens > 1 else 0.0
            self._spent += 1
        else:
            self._tokens = tokens
            self._refused += 1
        return has_enough

    def tokens(self, now: float) -> float:
        """Give the tokens that there are now, from 0 to the budget's most."""
        if now <= self._at:
            return self._tokens
        return min(self._most, self._tokens + self._per_second * (now - self._at))

    def statistics(self) -> BudgetStatistics:
        return BudgetStatistics(self._tokens, self._successes, self._spent, self._refused)

    def __repr__(self) -> str:
        return (
            f"<TokenBucket {self._tokens:.3g} of {self._most:g} tokens, "
            f"{self._spent} spent, {self._refused} refused>"
        )
