"""The concurrency limit: how many requests a model works on at once, found by what it gains.

A server that has slots left answers as fast with n requests as with half of them; one that has
none left makes n of them wait for each other, so that half of them are answered in half the
time. So now and then the limit is halved for a moment (a probe), and the latency found there is
what the latency at the full limit is held against, as a gradient. Requests are never failed to
find that out: those over the limit wait a little longer in line.

Answers quicker than ``QUICK`` count as equally quick: how long they take is told by the service's
own loop and by wake-ups. A model that does nothing looked like one that gains nothing by a second
request, was handed one at a time, and each then cost a wake-up at both ends: twice the work.

Compared by simulation with the published ways (1, 2, 8 and 32 slots, lognormal and bimodal times
of service, twice and ten times the load): Gradient2, and AIMD against a slow mean, see nothing
but queues under lasting load, take them for the normal latency, and drift to 4 to 38 times the
slots. Vegas, whose base is the least latency seen, falls to a fifth of 32 slots on noise alone.
Envoy's probe goes down to 3 whatever the limit, which takes 45 % of the work of 32 slots. This one
kept to 0.9 to 1.9 times the slots (2 to 4 where there is one), and did 97 to 100 % of the possible
work with lognormal times of sigma 0.5, and 88 to 100 % with far noisier ones.

Sources: Netflix concurrency-limits (the gradient and its bounds), Envoy's adaptive concurrency
filter (the probe), BBR (probing for the time without a queue).
"""

from __future__ import annotations

import math
from typing import Self

import msgspec

# How exact a window's mean of log(latency) must be, as its standard error: noisy latencies make
# longer windows, up to so many times the shortest.
_EXACT = 0.125
_LONGEST = 8
# By how much the latency falls with half the limit where it was far too high.
_STEEP = 1.7
# Seconds that an answer counts as having taken, at the least.
QUICK = 0.005
_SHORTEST = 1e-6


class Limit(msgspec.Struct, frozen=True):
    """Say between which bounds a model's concurrency is found, and how.

    initial, least, most: the limit at the start, and its bounds; all the same fixes it.
    tolerance: how many times the latency at half the limit the latency may be before the
        limit falls.
    window: samples that a decision rests on, at least; more where they are noisy.
    probe_every: windows from one probe to the next, at most; fewer at the start.
    """

    initial: int = 8
    least: int = 1
    most: int = 256
    tolerance: float = 1.5
    window: int = 16
    probe_every: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.initial <= self.most:
            raise ValueError("a limit needs 1 <= least <= initial <= most")
        if not 1 < self.tolerance < math.inf:
            raise ValueError("a limit needs a tolerance over 1, and finite")
        if self.window < 2 or self.probe_every < 1:
            raise ValueError("a limit needs window >= 2 samples and probe_every >= 1 windows")

    @classmethod
    def fixed(cls, limit: int) -> Self:
        """Give a limit that never changes."""
        return cls(initial=limit, least=limit, most=limit)


class LimitStatistics(msgspec.Struct, frozen=True):
    """Tell how a limit stands.

    base: the latency at half the limit, as last found; None before the first probe.
    """

    value: int
    base: float | None
    is_probing: bool
    probes: int


class AdaptiveLimit:
    """Find how many requests at once a model gains by. ``value`` is the limit to keep to now."""

    __slots__ = (
        "_base",
        "_config",
        "_count",
        "_floor",
        "_full",
        "_full_latency",
        "_gap",
        "_is_fixed",
        "_is_probing",
        "_most_in_flight",
        "_probes",
        "_skip",
        "_squares",
        "_sum",
        "_windows_left",
        "value",
    )

    def __init__(self, limit: Limit) -> None:
        self._config = limit
        self._is_fixed = limit.least == limit.most
        self.value = limit.initial
        self._full = float(limit.initial)  # the limit without the probe's halving
        self._floor = float(limit.least)
        self._base: float | None = None
        self._is_probing = False
        self._probes = 0
        self._gap = self._windows_left = 1
        self._skip = limit.initial  # the first ones find an empty server
        self._full_latency = 0.0
        self._sum: float
        self._squares: float
        self._count: int
        self._most_in_flight: int
        self._clear_window()

    def sample(self, latency: float, in_flight: int) -> None:
        """Take note of a piece of work that is done.

        latency: seconds, or seconds for each token: over 0, and the same unit always.
        in_flight: how many were in work, this one included.
        """
        if self._is_fixed:
            return
        if self._skip:
            self._skip -= 1
            return
        log = math.log(latency if latency > _SHORTEST else _SHORTEST)
        self._sum += log
        self._squares += log * log
        self._count += 1
        if in_flight > self._most_in_flight:
            self._most_in_flight = in_flight
        if self._count >= self._config.window and self._count >= self.value:
            self._end_window(in_flight)

    def _end_window(self, in_flight: int) -> None:
        mean = self._sum / self._count
        variance = max(0.0, self._squares / self._count - mean * mean)
        # Halved limits are compared with full ones by a ratio, hence by the mean of the logarithm,
        # which moreover one request that took very long doesn't spoil.
        is_exact = variance <= _EXACT * _EXACT * self._count
        if not is_exact and self._count < _LONGEST * self._config.window:
            return
        latency, most_in_flight = math.exp(mean), self._most_in_flight
        self._clear_window()
        if self._is_probing:
            self._end_probe(latency, in_flight)
        elif 2 * most_in_flight <= self.value:
            self._found_base(latency)  # as good as a probe, and free
        else:
            self._adjust(latency, most_in_flight, in_flight)

    def _adjust(self, latency: float, most_in_flight: int, in_flight: int) -> None:
        is_in_use = most_in_flight >= self.value
        if self._base is not None:
            gradient = max(0.5, min(1.0, self._config.tolerance * self._base / latency))
            room = math.sqrt(self._full) / 2 if is_in_use else 0.0
            full = self._full * gradient + room
            if full <= self._floor:
                # Of a limit lower than that, the base tells nothing: a model that has become slow
                # would get less and less. So look anew, after a window here, and soon again.
                full, self._gap, self._skip = self._floor, 1, in_flight
                self._windows_left = min(self._windows_left, 2)
            self._full = min(float(self._config.most), full)
            self.value = int(self._full)
        self._windows_left -= 1
        if is_in_use and self._windows_left <= 0:
            self._begin_probe(latency, in_flight)

    def _begin_probe(self, latency: float, in_flight: int) -> None:
        half = max(self._config.least, self.value // 2)
        if half == self.value:  # there is no less to compare it with
            self._found_base(latency)
            return
        self.value = half
        self._full_latency = latency
        self._is_probing = True
        self._probes += 1
        self._skip = in_flight  # these began under the full limit

    def _end_probe(self, latency: float, in_flight: int) -> None:
        self._is_probing = False
        self._skip = in_flight
        is_searching = self._gap == 1
        if is_searching and self._full_latency > _STEEP * latency:
            # Half as many were answered in about half the time: all the work is done with half.
            self._full = float(self.value)
        else:
            self.value = int(self._full)
            # A probe costs up to half the work for its while, so they are made ever more rarely.
            self._gap = min(self._config.probe_every, 2 * self._gap)
        self._found_base(latency)

    def _found_base(self, latency: float) -> None:
        self._base = latency
        self._windows_left = self._gap
        self._floor = max(float(self._config.least), self._full / 2)

    def _clear_window(self) -> None:
        self._sum = self._squares = 0.0
        self._count = self._most_in_flight = 0

    def statistics(self) -> LimitStatistics:
        """Give how the limit stands now."""
        return LimitStatistics(self.value, self._base, self._is_probing, self._probes)

    def __repr__(self) -> str:
        bounds = f"{self._config.least}..{self._config.most}"
        probing = f" probing for {int(self._full)}" if self._is_probing else ""
        return f"<AdaptiveLimit {self.value} of {bounds}{probing}>"
