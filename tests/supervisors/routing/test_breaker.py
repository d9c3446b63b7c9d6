"""The circuit breaker: what opens it, what it lets through then, and what closes it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from failsoft.supervisors.routing.breaker import Breaker, CountWindow, TimeWindow
from failsoft.supervisors.routing.circuit import Change, Circuit, CircuitState, CircuitStatistics

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def breaker(**fields: Any) -> Breaker:
    """Give one that is open for a minute at first, and ten at most."""
    return Breaker(**({"open_seconds": 60.0, "longest_open": 600.0} | fields))


NO_RATES = breaker(failure_rate=None)
BY_RATE = breaker(consecutive_failures=None)
LAST_20 = CountWindow(20)


def end(circuit: Circuit, permit: int, how: str, now: float) -> None:
    """Report a call: well, failed, ignored; slow and well (S), slow and failed (X)."""
    match how:
        case "w":
            circuit.succeeded(permit, 0.1, now)
        case "S":
            circuit.succeeded(permit, 60.1, now)
        case "f":
            circuit.failed(permit, 0.1, now)
        case "X":
            circuit.failed(permit, 60.1, now)
        case "i":
            circuit.ignored(permit, now)
        case "!":
            circuit.crashed(now)


def call(circuit: Circuit, how: str, now: float) -> None:
    permit = circuit.admit(now)
    assert permit is not None
    end(circuit, permit, how, now)


def play(circuit: Circuit, calls: str, now: float = 0.0) -> None:
    """Make calls one after another; the circuit may change with the last of them alone."""
    for number, how in enumerate(calls):
        assert circuit.state(now) is CLOSED, f"after {calls[:number]}"
        call(circuit, how, now)


def opened(config: Breaker = NO_RATES, now: float = 0.0) -> Circuit:
    """Give a circuit that has just opened."""
    circuit = Circuit(config)
    for _ in range(5):
        circuit.crashed(now)
    assert circuit.state(now) is OPEN
    return circuit


def probing(config: Breaker, now: float = 60.0) -> tuple[Circuit, int]:
    """Give a half-open circuit with one probe under way since ``now``."""
    circuit = opened(config)
    probe = circuit.admit(now)
    assert probe is not None
    return circuit, probe


def change(circuit: Circuit) -> Change:
    assert circuit.last_change is not None
    return circuit.last_change


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ("ffff", CLOSED),
        ("fffff", OPEN),
        ("ffffwffff", CLOSED),
        ("ffffwfffff", OPEN),
        ("ffffSffff", CLOSED),
        ("XXXXX", OPEN),
        ("ffffif", OPEN),
        ("ff!ff", OPEN),
        ("!!!!w!!!!", CLOSED),
    ],
)
def test_failures_in_a_row_open_it(calls: str, state: CircuitState) -> None:
    """BR-01 Five; a success between them, a slow one too, starts the count again."""
    circuit = Circuit(NO_RATES)
    play(circuit, calls)
    assert circuit.state(0) is state
    if state is OPEN:
        assert change(circuit) == Change(CLOSED, OPEN, "5 failures in a row", 0, 60)


@pytest.mark.parametrize("window", [LAST_20, TimeWindow(60)])
@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ("ffffffwww", None),  # one call below the minimum
        ("fffffffffw", "9 of 10 calls failed"),  # the call that makes the minimum opens it
        ("wfwfwfwfwf", "5 of 10 calls failed"),  # at the threshold exactly
        ("wwfwfwfwfwf", None),
        ("wwfwfwfwfwff", "6 of 12 calls failed"),
        ("wiwfwfwfwf", None),  # ignored: no call at all
        ("wfwfwfwfw!", "5 of 10 calls failed"),
    ],
)
def test_the_failure_rate_opens_it(
    window: CountWindow | TimeWindow, calls: str, reason: str | None
) -> None:
    """BR-02 At half of at least ten calls; by the last calls or the last seconds alike."""
    circuit = Circuit(msgspec.structs.replace(BY_RATE, window=window))
    play(circuit, calls)
    assert circuit.state(0) is (OPEN if reason else CLOSED)
    assert reason is None or change(circuit).reason == reason


def test_only_the_last_calls_count() -> None:
    """BR-02 In a count window the oldest leaves, however long ago the others were."""
    circuit = Circuit(msgspec.structs.replace(BY_RATE, window=CountWindow(10)))
    play(circuit, "ffff" + "wwwww")
    play(circuit, "w" * 6, now=1e6)
    assert circuit.statistics().failures == 0
    play(circuit, "ffff", now=1e6)
    assert circuit.statistics().state is CLOSED
    play(circuit, "f", now=2e6)
    assert change(circuit).reason == "5 of 10 calls failed"


def test_only_the_last_seconds_count() -> None:
    """BR-02 In a time window a failure leaves with its second."""
    circuit = Circuit(msgspec.structs.replace(BY_RATE, window=TimeWindow(60)))
    play(circuit, "ffff", now=100)
    play(circuit, "wwwww", now=159.9)
    assert circuit.statistics().failures == 4
    play(circuit, "f", now=160)
    assert circuit.statistics().failures == 1
    assert circuit.statistics().state is CLOSED


def test_rates_and_the_row_can_be_turned_off() -> None:
    """BR-02 With nothing on, results never open it."""
    circuit = Circuit(breaker(consecutive_failures=None, failure_rate=None))
    play(circuit, "fX!" * 100)
    assert circuit.statistics().state is CLOSED
    assert circuit.statistics().failure_rate == 1


SLOW = breaker(consecutive_failures=None, failure_rate=None, slow_rate=0.8)


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ("SSSSSSSSS", None),
        ("wwSSSSSSSS", "8 of 10 calls took longer than 60 s"),
        ("wwwSSSSSSS", None),
        ("fwSXSXSXSX", "8 of 10 calls took longer than 60 s"),
    ],
)
def test_slow_calls_open_it_by_themselves(calls: str, reason: str | None) -> None:
    """BR-03 Answered or failed, over the limit is slow."""
    circuit = Circuit(SLOW)
    play(circuit, calls)
    assert circuit.state(0) is (OPEN if reason else CLOSED)
    assert reason is None or change(circuit).reason == reason


def test_a_call_exactly_at_the_limit_is_not_slow() -> None:
    """BR-03 Over it is."""
    circuit = Circuit(SLOW)
    for seconds in (60.0, math.nextafter(60, 61)):
        permit = circuit.admit(0)
        assert permit is not None
        circuit.succeeded(permit, seconds, 0)
    assert circuit.statistics().slow == 1


def test_an_open_one_refuses_until_its_time_is_over() -> None:
    """BR-04 And says how long that is."""
    circuit = opened(now=100.0)
    for now, left in ((100.0, 60.0), (130.0, 30.0), (159.5, 0.5)):
        assert circuit.admit(now) is None
        assert not circuit.admits(now)
        assert circuit.retry_after(now) == left
    assert circuit.opens_until == 160
    assert circuit.generation == 1


def test_an_open_one_whose_time_is_over_is_half_open_to_look_at() -> None:
    """BR-05 Before its first call, which a look isn't."""
    circuit = opened()
    assert circuit.state(60) is HALF_OPEN
    assert circuit.admits(60)
    assert circuit.retry_after(60) == 0
    assert circuit.generation == 1
    assert circuit.statistics().state is OPEN
    assert circuit.admit(60) == 2
    assert change(circuit) == Change(OPEN, HALF_OPEN, "the open time is over", 60, 0)
    assert circuit.opens_until is None


@pytest.mark.parametrize("probes", [1, 2, 5])
def test_a_bounded_number_of_probes_goes_through(probes: int) -> None:
    """BR-05 The rest are refused; all well: closed, with clean counts."""
    circuit = opened(breaker(probes=probes))
    permits = [circuit.admit(60 + number) for number in range(probes)]
    assert permits == [2] * probes
    assert circuit.admit(70) is None
    assert not circuit.admits(70)
    assert circuit.retry_after(70) == 20  # of the oldest's thirty seconds
    for permit in permits:
        assert circuit.state(80) is HALF_OPEN
        assert permit is not None
        circuit.succeeded(permit, 10, 80)
    expected = CircuitStatistics(CLOSED, None, 0, 0, 0, 0, 0.0, 0.0, 1, None)
    assert circuit.statistics() == expected
    assert change(circuit).reason == f"{probes} of {probes} probes succeeded"
    play(circuit, "ffff", now=80)
    assert circuit.statistics().state is CLOSED


def test_a_probe_that_is_done_makes_room_for_the_next() -> None:
    """BR-05 So many at a time, and so many successes."""
    circuit, first = probing(breaker(probes=2))
    second = circuit.admit(60)
    assert circuit.admit(60) is None
    circuit.succeeded(first, 1, 61)
    third = circuit.admit(61)
    assert second is not None
    assert third is not None
    assert circuit.admit(61) is None
    circuit.succeeded(third, 1, 62)
    assert circuit.statistics().state is CLOSED


@pytest.mark.parametrize("how", ["f", "X", "!"])
def test_a_failed_probe_opens_it_again_for_longer(how: str) -> None:
    """BR-05 60, 120, 240, 480, then 600 s each time."""
    circuit = opened(now=10.0)
    now = 10.0
    for trip, seconds in enumerate([60, 120, 240, 480, 600, 600], start=1):
        assert circuit.statistics().trips == trip
        assert change(circuit).open_seconds == circuit.retry_after(now) == seconds
        now += seconds
        assert not circuit.admits(now - 0.001)
        call(circuit, how, now)
        assert circuit.state(now) is OPEN
        assert change(circuit).before is HALF_OPEN


@pytest.mark.parametrize(("slow_rate", "state"), [(None, CLOSED), (0.9, OPEN)])
def test_a_slow_probe_fails_where_slowness_counts(
    slow_rate: float | None, state: CircuitState
) -> None:
    """BR-05 A model that is as slow as before hasn't recovered."""
    circuit, probe = probing(breaker(slow_rate=slow_rate, probe_seconds=100))
    circuit.succeeded(probe, 60.1, 120.1)
    assert circuit.state(120.1) is state


@pytest.mark.parametrize(("closed_for", "seconds"), [(0, 120), (599.9, 120), (600, 60)])
def test_openings_are_in_a_row_until_it_stayed_closed_for_long(
    closed_for: float, seconds: float
) -> None:
    """BR-05 For as long as it stays open at most: ten minutes."""
    circuit = opened()
    call(circuit, "w", 60)
    assert circuit.statistics().state is CLOSED
    play(circuit, "fffff", now=60 + closed_for)
    assert change(circuit).open_seconds == seconds


def test_a_probe_that_never_ends_is_given_up() -> None:
    """BR-06 It is a failure: open again, longer, from when its time was over."""
    circuit, _ = probing(NO_RATES)
    assert circuit.state(89.9) is HALF_OPEN
    assert not circuit.admits(89.9)
    assert circuit.state(90) is OPEN
    assert circuit.retry_after(90) == 120
    assert circuit.admit(100) is None
    assert change(circuit) == Change(HALF_OPEN, OPEN, "a probe didn't end in 30 s", 90, 120)
    assert circuit.generation == 3
    assert circuit.retry_after(100) == 110


def test_looking_alone_brings_an_overdue_probe_to_its_end() -> None:
    """BR-06 Who only calls where it says that it admits, gets through in the end."""
    circuit, _ = probing(NO_RATES)
    assert not circuit.admits(209.9)
    assert circuit.admits(210)
    assert circuit.admit(210) == 4
    reason = "the open time that began when a probe didn't end is over"
    assert change(circuit) == Change(OPEN, HALF_OPEN, reason, 210, 0)
    assert circuit.statistics().trips == 2


def test_who_wants_to_know_at_once_lets_it_catch_up() -> None:
    """BR-06 Before the time is over, nothing happens; and then it happens once."""
    circuit, _ = probing(NO_RATES)
    circuit.catch_up(89.9)
    assert circuit.generation == 2
    circuit.catch_up(90)
    circuit.catch_up(1000)
    assert circuit.generation == 3
    assert circuit.opens_until == 210


@pytest.mark.parametrize("how", ["w", "f", "i", "!"])
def test_what_comes_after_a_probes_time_comes_too_late(how: str) -> None:
    """BR-06 Whether or not somebody looked between."""
    circuit, probe = probing(NO_RATES)
    end(circuit, probe, how, 90)
    assert circuit.state(90) is OPEN
    assert change(circuit).reason == "a probe didn't end in 30 s"
    assert circuit.statistics().trips == 2


@pytest.mark.parametrize(("ends_first", "given_up_at"), [(0, 100), (1, 90)])
def test_each_probe_has_its_own_time(ends_first: int, given_up_at: float) -> None:
    """BR-06 The one that hangs is found, and no other is given up for it."""
    circuit, first = probing(breaker(probes=2))
    second = circuit.admit(70)
    assert second is not None
    circuit.ignored((first, second)[ends_first], 75)
    assert circuit.admit(80) is not None
    circuit.catch_up(given_up_at - 0.1)
    assert circuit.state(given_up_at - 0.1) is HALF_OPEN
    assert circuit.state(given_up_at) is OPEN


def test_a_bare_generation_stands_for_the_oldest_probe() -> None:
    """BR-06 A permit that went through somebody's JSON is still one."""
    circuit, _ = probing(breaker(probes=2))
    circuit.admit(70)
    circuit.ignored(2, 75)
    assert circuit.state(99) is HALF_OPEN
    assert circuit.state(100) is OPEN


@pytest.mark.parametrize("how", ["w", "f", "X", "S", "i"])
def test_results_from_before_a_change_count_as_nothing(how: str) -> None:
    """BR-07 In the open, half-open, and closed states after it."""
    circuit = Circuit(NO_RATES)
    stale = circuit.admit(0)
    assert stale is not None
    play(circuit, "fffff")
    for now, state in ((1.0, OPEN), (60.0, HALF_OPEN)):
        if state is HALF_OPEN:
            probe = circuit.admit(now)
        seen = circuit.statistics()
        end(circuit, stale, how, now)
        assert circuit.statistics() == seen
        assert circuit.state(now) is state
    assert circuit.admit(60) is None, "the probe's place was given back by another call"
    assert probe is not None
    circuit.succeeded(probe, 1, 61)
    for _ in range(10):
        end(circuit, stale, how, 61)
        end(circuit, probe, how, 61)
    assert circuit.generation == 3
    assert circuit.statistics().calls == 0


def test_a_probe_ends_once() -> None:
    """BR-07 What it says again gives back nobody else's place."""
    circuit, first = probing(breaker(probes=2))
    circuit.admit(60)
    circuit.succeeded(first, 1, 61)
    circuit.succeeded(first, 1, 61)
    assert circuit.state(61) is HALF_OPEN
    assert circuit.admit(61) is not None
    assert circuit.admit(61) is None


def test_what_is_ignored_counts_as_nothing() -> None:
    """BR-08 Neither in the row nor in the rates."""
    circuit = Circuit(breaker())
    play(circuit, "ffff" + "i" * 100)
    assert circuit.statistics().calls == 4
    assert circuit.statistics().consecutive_failures == 4


def test_an_ignored_probe_gives_its_place_to_another() -> None:
    """BR-08 It tells nothing of the model, so it decides nothing."""
    circuit, probe = probing(NO_RATES)
    circuit.ignored(probe, 61)
    assert circuit.state(61) is HALF_OPEN
    call(circuit, "w", 61)
    assert circuit.statistics().state is CLOSED


def test_forced_open_lets_nobody_through() -> None:
    """BR-09 For as long as the operator says; the hint to a caller stays finite."""
    circuit = Circuit(breaker())
    permit = circuit.admit(0)
    assert permit is not None
    circuit.force("open", 1)
    assert change(circuit) == Change(CLOSED, OPEN, "forced open by an operator", 1, 0)
    end(circuit, permit, "w", 2)
    circuit.crashed(2)
    assert circuit.admit(1e9) is None
    assert circuit.state(1e9) is OPEN
    assert circuit.retry_after(1e9) == 60
    assert circuit.opens_until is None
    assert circuit.statistics().forced == "open"
    circuit.force(None, 1e9)
    assert circuit.statistics().state is CLOSED
    assert circuit.statistics().trips == 0


def test_forced_closed_counts_and_stays_closed() -> None:
    """BR-09 Given back, it starts with clean counts."""
    circuit = opened()
    circuit.force("closed", 1)
    play(circuit, "f" * 50 + "S" * 50 + "!", now=1)
    seen = circuit.statistics()
    assert (seen.state, seen.forced, seen.calls, seen.failures) == (CLOSED, "closed", 101, 51)
    circuit.force(None, 2)
    assert circuit.statistics().calls == 0
    play(circuit, "fffff", now=2)
    assert change(circuit).open_seconds == 120, "an opening was forgotten that nobody reset"


def test_forcing_ends_the_probes() -> None:
    """BR-09 Their results are of another generation."""
    circuit, probe = probing(NO_RATES)
    circuit.force("closed", 61)
    end(circuit, probe, "f", 61)
    assert circuit.statistics().calls == 0
    circuit.force("open", 62)
    circuit.force(None, 63)
    assert circuit.generation == 5


@pytest.mark.parametrize("state", ["open", "closed", None])
def test_forcing_what_is_so_already_changes_nothing(state: Any) -> None:
    """BR-09 Pressing the button twice: no counts are lost, no open circuit is closed."""
    circuit = Circuit(breaker())
    circuit.force(state, 0)
    generation = circuit.generation
    for _ in range(3):
        circuit.crashed(0)
    circuit.force(state, 1)
    assert circuit.generation == generation
    assert circuit.statistics().failures == (0 if state == "open" else 3)
    circuit = opened()
    circuit.force(None, 1)
    assert circuit.state(1) is OPEN


@pytest.mark.parametrize("forced", [None, "open", "closed"])
def test_a_reset_forgets_all(forced: Any) -> None:
    """BR-09 Counts, openings, and that it was held; also where it was closed before."""
    circuit, _ = probing(NO_RATES)
    circuit.force(forced, 61)
    for _ in range(2):
        generation = circuit.generation
        circuit.reset(61)
        assert circuit.generation == generation + 1
        assert change(circuit).reason == "reset by an operator"
        expected = CircuitStatistics(CLOSED, None, 0, 0, 0, 0, 0.0, 0.0, 0, None)
        assert circuit.statistics() == expected
    play(circuit, "fffff", now=61)
    assert change(circuit).open_seconds == 60


def test_it_shows_what_it_is_at() -> None:
    """BR-09 For the tree and the log."""
    circuit = Circuit(breaker(probes=2))
    play(circuit, "wf")
    window = "<LastSeconds 60 s: 2 calls, 1 failed, 0 slow>"
    assert repr(circuit) == f"<Circuit closed: 1 failures in a row, {window}>"
    play(circuit, "XXXX")
    assert repr(circuit) == "<Circuit open: until 60 s, trip 1>"
    circuit.admit(60)
    assert repr(circuit) == "<Circuit half_open: <Probes 1/2>, 0 well>"
    circuit.force("open", 60)
    assert repr(circuit).startswith("<Circuit forced open: ")


@example(0.1, 60.0, 0.432 / 60)  # at 0.532 s the difference alone is an ulp too short
@given(st.floats(0, 1e9), st.floats(0.001, 1e6), st.floats(0, 1))
def test_who_waits_as_told_is_let_through(now: float, seconds: float, share: float) -> None:
    """BR-04 Not one rounding too early, and not later than the open time."""
    circuit = opened(breaker(open_seconds=seconds, longest_open=1e6), now)
    at = min(now + seconds * share, now + seconds)
    wait = circuit.retry_after(at)
    assert circuit.admits(at + wait)
    assert circuit.admits(at) is (wait == 0)
    assert wait == pytest.approx(now + seconds - at, abs=1e-6)
