"""The error log: the errors of the last hour, counted; the last few, as they were."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec

from failsoft.telemetry.label_bound import LabelBound
from failsoft.telemetry.spikes import Spike, SpikeDetector, SpikePolicy
from failsoft.telemetry.timeline import Timeline, TimelineStatistics

HOUR: Final = 3600.0
_MINUTE: Final = 60.0


class ErrorPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Say how much the log holds, and what a spike is.

    rate_window: seconds that rates are taken over.
    kept: how many of the last errors are kept as they were.
    top: how many of the patterns are shown.
    most_kinds, most_patterns: how many are told apart; the rest is ``other``.
    """

    rate_window: float = 60.0
    kept: int = 100
    top: int = 10
    most_kinds: int = 50
    most_patterns: int = 200
    spike: SpikePolicy = SpikePolicy()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.rate_window) and 0 < self.rate_window <= HOUR):
            raise ValueError(f"rate_window must be over 0 s, up to an hour: {self.rate_window}")
        if min(self.kept, self.top, self.most_kinds, self.most_patterns) < 1:
            raise ValueError("kept, top, most_kinds and most_patterns must be at least 1")
        if self.spike.window * (self.spike.learning + 1) > HOUR:
            raise ValueError("the windows of a spike's learning, and one, must fit into an hour")


class ErrorRecord(msgspec.Struct, frozen=True, gc=False):
    """Hold one error. Its words are in the log, under the same correlation id.

    kind: an error kind, or what happened. operation: the type of the request, or of the event.
    path: the actor. at: in seconds, on the system's clock.
    """

    kind: str
    operation: str
    path: str
    at: float
    correlation_id: str | None = None


class HourSummary(msgspec.Struct, frozen=True):
    """Sum up the last hour. per_minute: all errors, oldest minute first."""

    total: int
    error_types: dict[str, int]
    top_patterns: dict[str, int]
    per_minute: tuple[int, ...]


class ErrorReport(msgspec.Struct, frozen=True):
    """Tell what went wrong, as of ``at`` on the system's clock.

    total_errors, error_types: since the log was begun, and by kind.
    error_rate, error_rates: a minute, over the last minute or what the policy says; by kind.
    top_patterns: ``kind:operation`` → how many in the last hour, the most first.
    spikes: those of now. recent: the last errors, the newest first.
    """

    at: float
    total_errors: int
    error_types: dict[str, int]
    error_rate: float
    error_rates: dict[str, float]
    top_patterns: dict[str, int]
    spikes: tuple[Spike, ...]
    last_hour: HourSummary
    recent: tuple[ErrorRecord, ...]


class ErrorLogStatistics(msgspec.Struct, frozen=True):
    """Count what the log holds."""

    total: int
    kept: int
    kinds: TimelineStatistics
    patterns: TimelineStatistics


class ErrorLog:
    """Take errors in, and say what they come to. Its size is bounded, whatever comes.

    Made once, outside of the actor that adds to it, so that it outlives that.
    """

    __slots__ = (
        "_bound",
        "_by_kind",
        "_detector",
        "_kinds",
        "_patterns",
        "_policy",
        "_recent",
        "_total",
    )

    def __init__(self, policy: ErrorPolicy | None = None) -> None:
        self._policy = policy = policy or ErrorPolicy()
        self._kinds = Timeline(most_keys=policy.most_kinds)
        self._patterns = Timeline(most_keys=policy.most_patterns)
        self._detector = SpikeDetector(self._kinds, policy.spike)
        self._recent: deque[ErrorRecord] = deque(maxlen=policy.kept)
        self._bound = LabelBound(policy.most_kinds)
        self._by_kind: dict[str, int] = {}
        self._total = 0

    def begin(self, now: float) -> None:
        """Say that errors are heard from now on; the first call counts."""
        self._kinds.begin(now)
        self._patterns.begin(now)

    def add(self, error: ErrorRecord, now: float) -> Spike | None:
        """Take an error in; give the spike that it begins."""
        self._recent.append(error)
        self._total += 1
        kind = self._bound.admit("kind", error.kind)
        self._by_kind[kind] = self._by_kind.get(kind, 0) + 1
        self._patterns.add(f"{kind}:{error.operation}", now)
        return self._detector.begins(self._kinds.add(kind, now), now)

    def ended(self, now: float) -> tuple[Spike, ...]:
        """Give the spikes that are over, as the rate is now."""
        return self._detector.ended(now)

    @property
    def spikes(self) -> tuple[Spike, ...]:
        """Give the spikes of which nobody was told that they are over."""
        return self._detector.spikes

    def report(self, now: float) -> ErrorReport:
        """Tell what went wrong so far."""
        a_minute = _MINUTE / self._policy.rate_window
        counts = self._kinds.counts(self._policy.rate_window, now)
        hour = self._last_hour(now)
        return ErrorReport(
            at=now,
            total_errors=self._total,
            error_types=dict(self._by_kind),
            error_rate=sum(counts.values()) * a_minute,
            error_rates={kind: count * a_minute for kind, count in counts.items()},
            top_patterns=hour.top_patterns,
            spikes=self.spikes,
            last_hour=hour,
            recent=tuple(reversed(self._recent)),
        )

    def _last_hour(self, now: float) -> HourSummary:
        kinds = self._kinds.counts(HOUR, now)
        patterns = list(self._patterns.counts(HOUR, now).items())
        return HourSummary(
            total=sum(kinds.values()),
            error_types=kinds,
            top_patterns=dict(patterns[: self._policy.top]),
            per_minute=self._kinds.per_minute(now),
        )

    def statistics(self) -> ErrorLogStatistics:
        """Count what it holds."""
        return ErrorLogStatistics(
            self._total, len(self._recent), self._kinds.statistics(), self._patterns.statistics()
        )

    def __repr__(self) -> str:
        return f"<ErrorLog {self._total} errors, {len(self._recent)} kept, {self._detector!r}>"
