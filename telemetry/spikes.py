"""Spikes: far more of a kind than usual, told once when it begins and once when it is over."""

from __future__ import annotations

import math
from statistics import median
from typing import Final

import msgspec

from failsoft.telemetry.timeline import Timeline

_MINUTE: Final = 60.0


class SpikePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Say what a spike is.

    window: seconds in which the kind is counted.
    factor: it is a spike above so many times the usual count.
    minimum: below so many in a window nothing is a spike: not the first error ever, nor the
        second after a quiet night.
    history: windows before the present one whose median is the usual count. A spike that lasts
        for half of them has become usual, and is over.
    learning: how many of them there must be, before which nothing is known and nothing said.
    calm: a spike is over at so many times the usual count, or at half of the minimum; this is
        less than the factor, so that it doesn't come and go at one rate.

    Errors that come by chance, at a steady rate, are now and then three times as many as usual,
    above all where few are usual. Window and minimum are such that this is a false alarm less
    than once in two days, at any rate; in a minute, or from 10 on, it would be several a day.
    """

    window: float = 180.0
    factor: float = 3.0
    minimum: int = 15
    history: int = 19
    learning: int = 3
    calm: float = 2.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.window) and self.window > 0):
            raise ValueError(f"window must be over 0 s, and finite; it is {self.window}")
        if not 1 <= self.calm <= self.factor < math.inf:
            raise ValueError("calm must be at least 1, and factor finite and no less than calm")
        if self.minimum < 2:
            raise ValueError(f"minimum must be at least 2, or any error is a spike: {self.minimum}")
        if not 1 <= self.learning <= self.history:
            raise ValueError("learning must be at least 1, and history no less than learning")


class Spike(msgspec.Struct, frozen=True):
    """Tell of a spike. rate, usual: a minute. since: when it began, on the system's clock."""

    kind: str
    rate: float
    usual: float
    since: float


class SpikeDetector:
    """Find spikes of the kinds in a timeline, which somebody else adds to.

    The baseline is the median of past windows: one bad minute, or one busy night, doesn't move it
    as it would an average.
    """

    __slots__ = ("_baseline_of", "_policy", "_spikes", "_timeline", "_usual")

    def __init__(self, timeline: Timeline, policy: SpikePolicy) -> None:
        self._timeline = timeline
        self._policy = policy
        self._spikes: dict[str, Spike] = {}
        # What is usual changes with the slice of time alone, and is asked for at each error.
        self._usual: dict[str, float | None] = {}
        self._baseline_of = -1

    def begins(self, kind: str, now: float) -> Spike | None:
        """Give the spike that one more of ``kind`` begins; none where it's in one already."""
        policy = self._policy
        if kind in self._spikes:
            return None
        count = self._timeline.count(kind, policy.window, now)
        if count < policy.minimum:
            return None
        usual = self.usual(kind, now)
        if usual is None or count <= policy.factor * usual:
            return None
        spike = self._spikes[kind] = self._spike(kind, count, usual, now)
        return spike

    def ended(self, now: float) -> tuple[Spike, ...]:
        """Give the spikes that are over, with the rate and the usual one as they are now."""
        policy, over = self._policy, []
        for kind, spike in tuple(self._spikes.items()):
            count = self._timeline.count(kind, policy.window, now)
            usual = self.usual(kind, now) or 0.0
            if count <= max(policy.calm * usual, policy.minimum / 2):
                del self._spikes[kind]
                over.append(self._spike(kind, count, usual, spike.since))
        return tuple(over)

    def usual(self, kind: str, now: float) -> float | None:
        """Give how many there usually are in a window; None while that is still being learned."""
        slice = self._timeline.move_to(now)
        if slice != self._baseline_of:
            self._usual.clear()
            self._baseline_of = slice
        if kind not in self._usual:
            policy = self._policy
            past = self._timeline.windows(kind, policy.window, policy.history, now)
            self._usual[kind] = float(median(past)) if len(past) >= policy.learning else None
        return self._usual[kind]

    def _spike(self, kind: str, count: int, usual: float, since: float) -> Spike:
        a_minute = _MINUTE / self._policy.window
        return Spike(kind, count * a_minute, usual * a_minute, since)

    @property
    def spikes(self) -> tuple[Spike, ...]:
        """Give the spikes that there are now."""
        return tuple(self._spikes.values())

    def __repr__(self) -> str:
        return f"<SpikeDetector {', '.join(self._spikes) or 'no spike'}>"
