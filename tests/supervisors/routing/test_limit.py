"""The adaptive limit: it finds how many requests at once a model gains by."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.supervisors.routing.limit import AdaptiveLimit, Limit

SLOTS = 8


def steady(seconds: float) -> Callable[[], float]:
    return lambda: seconds


class Server:
    """Work on ``slots`` requests at once, always as many sent as the limit allows; time jumps."""

    def __init__(self, limit: AdaptiveLimit, work: Callable[[], float], slots: int = SLOTS) -> None:
        self.limit = limit
        self.work = work
        self.slots = slots
        self.now = 0.0
        self.slowness = 1.0
        self.free_at = [0.0] * slots
        self.in_work: list[tuple[float, float]] = []  # ends at, was sent at

    def send(self) -> None:
        begins_at = max(self.now, heapq.heappop(self.free_at))
        ends_at = begins_at + self.work() * self.slowness
        heapq.heappush(self.free_at, ends_at)
        heapq.heappush(self.in_work, (ends_at, self.now))

    def values(self, samples: int) -> Iterator[int]:
        """Give the limit after each of so many answers."""
        for _ in range(samples):
            while len(self.in_work) < self.limit.value:
                self.send()
            in_flight = len(self.in_work)
            self.now, sent_at = heapq.heappop(self.in_work)
            self.limit.sample(self.now - sent_at, in_flight)
            yield self.limit.value

    def mean(self, samples: int) -> float:
        return sum(self.values(samples)) / samples


def test_latency_doubles_and_the_limit_falls_it_is_back_and_it_rises() -> None:
    """AD-02 At once each way; where the latency stays double, the limit is found anew."""
    limit = AdaptiveLimit(Limit())
    server = Server(limit, steady(1.0))
    before = server.mean(2000)
    assert SLOTS <= before <= 2 * SLOTS
    server.slowness = 2.0
    lowest = min(server.values(200))
    assert lowest < 0.75 * before
    assert SLOTS <= server.mean(2000) <= 2 * SLOTS
    fallen = AdaptiveLimit(Limit(probe_every=1000))  # which doesn't look whether it stays double
    server = Server(fallen, steady(1.0))
    before = server.mean(4000)
    server.slowness = 2.0
    during = server.mean(200)
    server.slowness = 1.0
    assert during < before
    assert server.mean(1000) > during


def test_a_server_that_loses_half_its_slots_gets_half_as_much() -> None:
    """AD-02 And all of it again, once it has them again."""
    limit = AdaptiveLimit(Limit())
    whole = Server(limit, steady(1.0), slots=16)
    assert 16 <= whole.mean(2000) <= 32
    half = Server(limit, steady(1.0), slots=8)
    list(half.values(500))
    assert 8 <= half.mean(1000) <= 16
    again = Server(limit, steady(1.0), slots=16)
    list(again.values(500))
    assert 16 <= again.mean(1000) <= 32


@pytest.mark.parametrize("slots", [2, 8, 32])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_keeps_it_within_twice_the_best(slots: int, seed: int) -> None:
    """AD-02 Lognormal times with sigma 0.5: neither too low to use the server, nor far over."""
    random = Random(seed)
    limit = AdaptiveLimit(Limit())
    server = Server(limit, lambda: random.lognormvariate(0, 0.5), slots)
    list(server.values(500))
    values = list(server.values(20_000))
    assert slots <= sum(values) / len(values) <= 2 * slots
    # What the limit lets through: up to ``slots`` are worked on at once.
    assert sum(min(value, slots) for value in values) / len(values) >= 0.9 * slots


def test_it_finds_one_slot_from_above() -> None:
    """AD-02 From 16 down to 1 or 2, where more only wait for each other, and soon."""
    limit = AdaptiveLimit(Limit(initial=16))
    server = Server(limit, steady(1.0), slots=1)
    assert min(server.values(250)) == 1
    assert server.mean(3000) <= 3


def test_it_rises_only_while_it_is_used() -> None:
    """AD-02 What nobody asks for, nobody knows to be possible."""
    limit = AdaptiveLimit(Limit(initial=20))
    for in_flight in (3, 12, 19):
        for _ in range(2000):
            limit.sample(1.0, in_flight)
            assert limit.value == 20
    for _ in range(1000):
        limit.sample(1.0, 20)
    assert limit.value > 20


def test_little_use_tells_what_latency_is_normal() -> None:
    """AD-02 A slow model that has little to do is slow by itself, and keeps its limit."""
    limit = AdaptiveLimit(Limit(initial=20))
    for latency in (1.0, 5.0):
        for _ in range(1000):
            limit.sample(latency, 5)
        assert limit.statistics().base == pytest.approx(latency)
    assert limit.value == 20


def test_a_fixed_limit_stays() -> None:
    """AD-02 Whatever the latency."""
    limit = AdaptiveLimit(Limit.fixed(4))
    for latency in (1.0, 100.0, 0.01):
        for _ in range(500):
            limit.sample(latency, 4)
            assert limit.value == 4
    assert limit.statistics().probes == 0


def test_a_probe_halves_it_for_a_while() -> None:
    """AD-02 Then it is as before, and rises where half as many weren't answered faster."""
    limit = AdaptiveLimit(Limit(initial=8, window=16))
    for _ in range(8 + 16):  # the first eight found an empty server
        limit.sample(1.0, 8)
    assert repr(limit) == "<AdaptiveLimit 4 of 1..256 probing for 8>"
    for _ in range(7 + 16):  # seven more began before the probe
        assert limit.value == 4
        limit.sample(1.0, 4)
    assert limit.value == 4
    limit.sample(1.0, 4)
    assert repr(limit) == "<AdaptiveLimit 8 of 1..256>"
    assert limit.statistics().base == pytest.approx(1.0)
    for _ in range(4):  # these are of the probe still, whatever they took
        limit.sample(100.0, 8)
    for _ in range(16):
        limit.sample(1.0, 8)
    assert limit.value == 9


def test_noisy_latencies_are_waited_for() -> None:
    """AD-02 Until their mean is exact enough, or eight times as many have come."""
    limit = AdaptiveLimit(Limit(initial=8, window=16))
    for sample in range(8 + 8 * 16):
        assert not limit.statistics().is_probing
        limit.sample(10.0 if sample % 2 else 0.1, 8)
    assert limit.statistics().is_probing


def test_a_model_that_has_become_slow_is_not_given_less_and_less() -> None:
    """AD-02 At half of what it had, the limit looks anew what is normal."""
    limit = AdaptiveLimit(Limit(probe_every=64))
    server = Server(limit, steady(1.0), slots=32)
    before = server.mean(5000)
    server.slowness = 2.0
    assert min(server.mean(200) for _ in range(6)) > before / 4
    assert server.mean(200) > before / 2


samples = st.lists(
    st.tuples(st.floats(0, 1e6), st.integers(1, 60), st.integers(1, 40)), max_size=40
)


@given(st.integers(1, 8), st.integers(0, 8), st.integers(0, 30), samples)
def test_it_stays_within_its_bounds(
    least: int, over: int, more: int, samples: list[tuple[float, int, int]]
) -> None:
    """AD-02 Whatever comes: any latency, also none, and any use."""
    bounds = Limit(initial=least + over, least=least, most=least + over + more, window=2)
    limit = AdaptiveLimit(bounds)
    for latency, in_flight, times in samples:
        for _ in range(times):
            limit.sample(latency, in_flight)
            assert bounds.least <= limit.value <= bounds.most


@pytest.mark.parametrize(
    ("wrong", "asked"),
    [
        ({"least": 0}, "1 <= least"),
        ({"initial": 0}, "least <= initial"),
        ({"initial": 300}, "initial <= most"),
        ({"tolerance": 1.0}, "tolerance over 1"),
        ({"tolerance": float("nan")}, "tolerance over 1"),
        ({"tolerance": float("inf")}, "finite"),
        ({"window": 1}, "window >= 2"),
        ({"probe_every": 0}, "probe_every >= 1"),
    ],
)
def test_a_limit_out_of_range_is_refused(wrong: dict[str, float], asked: str) -> None:
    """AD-02 With what is asked for."""
    with pytest.raises(ValueError, match=asked):
        Limit(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 <= least"):
        Limit.fixed(0)
