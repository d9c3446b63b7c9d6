"""Spikes: what is one, what isn't, when it is over."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.telemetry.spikes import SpikeDetector, SpikePolicy
from failsoft.telemetry.timeline import Timeline

HOUR = 3600.0


class Told:
    """Drive a detector with errors at times, as the actor does: it looks again now and then."""

    def __init__(self, policy: SpikePolicy | None = None) -> None:
        self.timeline = Timeline()
        self.timeline.begin(0.0)
        self.detector = SpikeDetector(self.timeline, policy or SpikePolicy())
        self.began: list[float] = []
        self.over: list[float] = []
        self.looks_at = 10.0

    def error(self, at: float, kind: str = "out_of_memory") -> bool:
        """Have one come at ``at``; tell whether a spike began."""
        self.wait(at)
        spike = self.detector.begins(self.timeline.add(kind, at), at)
        if spike is not None:
            self.began.append(at)
        return spike is not None

    def wait(self, until: float) -> None:
        while self.looks_at <= until:
            self.over.extend(spike.since for spike in self.detector.ended(self.looks_at))
            self.looks_at += 10

    def steady(self, a_minute: float, begin: float, end: float) -> None:
        number = int((end - begin) * a_minute / 60)
        for each in range(number):
            self.error(begin + each * 60 / a_minute)


def test_the_first_error_ever_is_no_spike() -> None:
    """TL-01 Nor is the first after a quiet hour, nor the tenth."""
    told = Told()
    assert not told.error(0.0)
    told.wait(HOUR)
    assert not any(told.error(HOUR + number) for number in range(10))


@pytest.mark.parametrize("usual", [2.0, 5.0, 30.0])
def test_four_times_the_usual_rate_is_a_spike_and_the_usual_rate_is_none(usual: float) -> None:
    """TL-01 Found within the window that is needed to count it."""
    told = Told()
    told.steady(usual, 0.0, HOUR)
    assert told.began == []
    told.steady(4 * usual, HOUR, HOUR + 300)
    (began,) = told.began
    assert HOUR < began <= HOUR + 180


@given(st.floats(1.0, 30.0), st.floats(1.0, 2.8), st.integers(0, 2**32))
def test_up_to_nearly_three_times_the_usual_is_none(usual: float, times: float, seed: int) -> None:
    """TL-01 At any rate, from any beginning."""
    told, begin = Told(), Random(seed).uniform(0, 60)
    told.steady(usual, begin, begin + 1200)
    told.steady(times * usual, begin + 1200, begin + 1800)
    assert told.began == []


def test_a_burst_after_silence_is_told_once() -> None:
    """TL-01 Usual is none, so the minimum is what counts; a spike begins no other."""
    told = Told()
    told.wait(HOUR)
    for number in range(100):
        told.error(HOUR + number * 0.1)
    assert told.began == [HOUR + 1.4]  # the fifteenth
    (spike,) = told.detector.spikes
    assert (spike.kind, spike.rate, spike.usual, spike.since) == ("out_of_memory", 5, 0, HOUR + 1.4)


def test_nothing_is_said_while_the_usual_is_not_known() -> None:
    """TL-01 A service that has always had many errors begins with no spike of them."""
    told = Told()
    told.steady(60, 0.0, 720.0)
    assert told.detector.usual("out_of_memory", 700.0) is None
    told.steady(60, 720.0, 1200.0)
    assert told.detector.usual("out_of_memory", 1199.0) == 180
    assert told.began == []


def test_one_bad_window_does_not_move_the_usual() -> None:
    """TL-01 The median, and not the mean: a second burst is found as the first was."""
    told = Told()
    told.steady(2, 0.0, 1800.0)
    for burst in (1800.0, 2400.0):
        for number in range(1000):
            told.error(burst + number * 0.01)
        told.steady(2, burst + 20, burst + 600)
    assert len(told.began) == 2
    assert len(told.over) == 2


def test_a_spike_is_over_when_it_is_calm_again_and_not_before() -> None:
    """TL-01 Between calm and factor it lasts; so it doesn't come and go at one rate."""
    told = Told()
    told.steady(10, 0.0, HOUR)
    told.steady(50, HOUR, HOUR + 180)
    told.steady(25, HOUR + 180, HOUR + 480)
    assert told.over == []
    told.steady(10, HOUR + 480, HOUR + 720)
    assert told.over == told.began
    assert told.detector.spikes == ()
    assert repr(told.detector) == "<SpikeDetector no spike>"


def test_a_burst_is_over_though_a_few_still_come() -> None:
    """TL-01 Usual is none; few are not that, but no spike."""
    told = Told()
    told.wait(HOUR)
    for number in range(100):
        told.error(HOUR + number * 0.1)
    told.steady(1, HOUR + 30, HOUR + 330)
    assert told.over == told.began


def test_a_rate_that_stays_becomes_usual() -> None:
    """TL-01 After half of the history; and the old rate is no spike either."""
    told = Told()
    told.steady(5, 0.0, HOUR)
    told.steady(30, HOUR, 2 * HOUR)
    assert len(told.began) == len(told.over) == 1
    assert told.detector.usual("out_of_memory", 2 * HOUR - 1) == 90


def test_each_kind_has_its_own_usual() -> None:
    """TL-01 Many of one hide no spike of another."""
    told = Told()
    for second in range(0, 3600, 2):
        told.error(float(second), "invalid_input")
    began = [told.error(HOUR + number, "worker_lost") for number in range(20)]
    assert began.count(True) == 1
    assert [spike.kind for spike in told.detector.spikes] == ["worker_lost"]


@pytest.mark.parametrize("a_minute", [0.2, 1.0, 2.0, 5.0])
def test_errors_that_come_by_chance_give_few_false_alarms(a_minute: float) -> None:
    """TL-01 Two days of Poisson arrivals at a steady rate: one at most."""
    told, random, at = Told(), Random(7), 0.0
    while at < 48 * HOUR:
        at += random.expovariate(a_minute / 60)
        told.error(at)
    assert len(told.began) <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0.0},
        {"window": float("nan")},
        {"factor": 1.5},
        {"factor": float("inf")},
        {"calm": 0.5},
        {"minimum": 1},
        {"learning": 0},
        {"learning": 20},
    ],
)
def test_a_policy_that_makes_no_sense_is_an_error(wrong: dict[str, float]) -> None:
    """SV-12 It says what must be."""
    with pytest.raises(ValueError, match=r"must be|no less than"):
        SpikePolicy(**wrong)  # type: ignore[arg-type]
