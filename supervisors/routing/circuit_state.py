"""What is told of a circuit: its state, its changes, its counts."""

from __future__ import annotations

import enum
from typing import Literal, TypeAlias

import msgspec


class CircuitState(enum.Enum):
    """Closed: calls go through. Open: none does. Half-open: a few do, to see how they fare."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


Forced: TypeAlias = Literal["open", "closed"]


class Change(msgspec.Struct, frozen=True):
    """Tell that a circuit changed; ``before`` is ``after`` where only the counts began anew.

    at: when, which may lie before the call that brought it to light (see ``catch_up``).
    open_seconds: how long it stays open; 0 where it didn't open, or is forced open.
    """

    before: CircuitState
    after: CircuitState
    reason: str
    at: float
    open_seconds: float

    @property
    def told(self) -> dict[str, str | float]:
        """Give what BreakerChanged tells of it."""
        return {
            "before": self.before.value,
            "after": self.after.value,
            "reason": self.reason,
            "open_seconds": self.open_seconds,
        }


class CircuitStatistics(msgspec.Struct, frozen=True):
    """Show a circuit as of the last call or result: the counts of its window, rates as shares.

    While it is open or half-open, the counts are those that it opened on.
    trips: openings in a row, each longer than the one before.
    opens_until: when its open time is over; None where it isn't open, or is forced open.
    """

    state: CircuitState
    forced: Forced | None
    calls: int
    failures: int
    slow: int
    consecutive_failures: int
    failure_rate: float
    slow_rate: float
    trips: int
    opens_until: float | None
