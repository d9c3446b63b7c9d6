"""The circuit against a naive one, that keeps all that ever happened and counts it anew."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from failsoft.supervisors.routing.breaker import Breaker, CountWindow, TimeWindow
from failsoft.supervisors.routing.circuit import Circuit
from failsoft.supervisors.routing.sliding_window import SLICES

LEGAL = {("closed", "open"), ("open", "half_open"), ("half_open", "closed"), ("half_open", "open")}


@dataclass
class Past:
    """One change. by: what made it: ``itself``, an operator's ``force``, or a ``reset``."""

    after: str
    at: float
    by: str = "itself"
    forced: str | None = None


@dataclass(eq=False)
class Call:
    """One call: in which generation it began, and how it ended first, once it has."""

    generation: int
    began: float
    how: str | None = None


@dataclass
class Naive:
    """Say what a circuit should do, from lists that are never cut."""

    breaker: Breaker
    past: list[Past] = field(default_factory=lambda: [Past("closed", -math.inf)])
    calls: list[Call] = field(default_factory=list)
    counted: list[tuple[int, float, bool, bool]] = field(default_factory=list)

    # -- all that is known, worked out anew each time

    @property
    def generation(self) -> int:
        return len(self.past) - 1

    @property
    def recorded(self) -> str:
        return self.past[-1].after

    @property
    def forced(self) -> str | None:
        return self.past[-1].forced

    @property
    def trips(self) -> int:
        trips = 0
        for before, change in zip(self.past, self.past[1:], strict=False):
            if change.by == "reset":
                trips = 0
            elif change.by == "itself" and change.after == "open":
                is_new = before.after == "closed"
                is_new = is_new and change.at - before.at >= self.breaker.longest_open
                trips = 1 if is_new else trips + 1
        return trips

    def open_seconds(self, trip: int) -> float:
        return min(
            self.breaker.longest_open, self.breaker.open_seconds * self.breaker.growth ** (trip - 1)
        )

    def until(self) -> float:
        assert self.recorded == "open"
        return math.inf if self.forced else self.past[-1].at + self.open_seconds(self.trips)

    def under_way(self) -> list[Call]:
        now = self.generation
        return [call for call in self.calls if call.generation == now and call.how is None]

    def first_end(self) -> float:
        return min(call.began for call in self.under_way()) + self.breaker.probe_seconds

    def is_overdue(self, now: float) -> bool:
        return self.recorded == "half_open" and bool(self.under_way()) and self.first_end() <= now

    def since_closed(self) -> list[tuple[float, bool, bool]]:
        closed = max(n for n, change in enumerate(self.past) if change.after == "closed")
        return [call for generation, *call in self.counted if generation == closed]  # type: ignore[misc]

    def in_a_row(self) -> int:
        failed = [failed for _, failed, _ in self.since_closed()]
        return len(failed) if all(failed) else failed[::-1].index(False)

    def window(self) -> list[tuple[float, bool, bool]]:
        calls, window = self.since_closed(), self.breaker.window
        if isinstance(window, CountWindow):
            return calls[-window.calls :]
        width = window.seconds / SLICES
        return [call for call in calls if calls[-1][0] // width - call[0] // width < SLICES]

    def look(self, now: float) -> tuple[str, float]:
        """Give the state that a call would find, and how long it would have to wait."""
        if self.forced == "open":
            return "open", self.breaker.open_seconds
        if self.recorded == "closed":
            return "closed", 0
        if self.recorded == "open" or self.is_overdue(now):
            until = (
                self.until()
                if self.recorded == "open"
                else self.first_end() + self.open_seconds(self.trips + 1)
            )
            return ("open", until - now) if now < until else ("half_open", 0)
        is_full = len(self.under_way()) >= self.breaker.probes
        return "half_open", self.first_end() - now if is_full else 0

    # -- what happens

    def catch_up(self, now: float) -> None:
        if self.is_overdue(now):
            self.past.append(Past("open", self.first_end()))

    def admit(self, now: float) -> Call | None:
        if self.recorded != "closed":
            self.catch_up(now)
            if self.recorded == "open" and self.until() <= now:
                self.past.append(Past("half_open", now))
            full = self.recorded == "half_open" and len(self.under_way()) >= self.breaker.probes
            if self.recorded == "open" or full:
                return None
        self.calls.append(Call(self.generation, now))
        return self.calls[-1]

    def end(self, call: Call, how: str, is_slow: bool, now: float) -> None:
        if call.generation == self.generation:
            self.catch_up(now)
        is_first, call.how = call.how is None, call.how or how
        if call.generation != self.generation or how == "ignored":
            return
        if self.recorded == "closed":
            self.count(how == "failed", is_slow, now)
        elif is_first and (how == "failed" or self.is_bad(is_slow)):
            self.past.append(Past("open", now))
        elif is_first and self.probes_well() >= self.breaker.probes:
            self.past.append(Past("closed", now))

    def probes_well(self) -> int:
        now = self.generation
        return sum(call.generation == now and call.how == "succeeded" for call in self.calls)

    def is_bad(self, is_slow: bool) -> bool:
        return is_slow and self.breaker.slow_rate is not None

    def crashed(self, now: float) -> None:
        self.catch_up(now)
        if self.recorded == "closed":
            self.count(True, False, now)
        elif self.recorded == "half_open":
            self.past.append(Past("open", now))

    def count(self, failed: bool, slow: bool, now: float) -> None:
        self.counted.append((self.generation, now, failed, slow))
        if self.forced is None and self.is_too_bad():
            self.past.append(Past("open", now))

    def is_too_bad(self) -> bool:
        breaker, calls = self.breaker, self.window()
        most = breaker.consecutive_failures
        if most is not None and self.in_a_row() >= most:
            return True
        shares = ((1, breaker.failure_rate), (2, breaker.slow_rate))
        return len(calls) >= breaker.minimum_calls and any(
            rate is not None and sum(call[which] for call in calls) / len(calls) >= rate
            for which, rate in shares
        )

    def force(self, state: Literal["open", "closed"] | None, now: float) -> None:
        if state != self.forced:
            self.past.append(Past(state or "closed", now, "force", state))


rates = st.sampled_from([1 / 3, 0.5, 0.6, 1.0])
# Each cause by itself, since the first that strikes hides the others; and all together.
causes = st.one_of(
    st.tuples(st.integers(1, 3), st.none(), st.none()),
    st.tuples(st.none(), rates, st.none()),
    st.tuples(st.none(), st.none(), rates),
    st.tuples(st.integers(2, 5), rates, rates),
)


@st.composite
def breakers(draw: st.DrawFn) -> Breaker:
    in_a_row, failure_rate, slow_rate = draw(causes)
    windows: list[CountWindow | TimeWindow]
    windows = [CountWindow(4), CountWindow(7), TimeWindow(6.0), TimeWindow(60.0)]
    return Breaker(
        consecutive_failures=in_a_row,
        failure_rate=failure_rate,
        slow_rate=slow_rate,
        slow_seconds=2.0,
        window=draw(st.sampled_from(windows)),
        minimum_calls=draw(st.integers(1, 4)),
        open_seconds=draw(st.sampled_from([0.5, 4.0])),
        growth=draw(st.sampled_from([1.0, 2.0, 3.3])),
        longest_open=draw(st.sampled_from([4.0, 10.0])),
        probes=draw(st.integers(1, 3)),
        probe_seconds=draw(st.sampled_from([1.0, 3.0])),
    )


steps = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 6.0, 10.0]), st.floats(0, 70))
ends = st.sampled_from(["succeeded", "succeeded", "failed", "ignored"])


class CircuitMachine(RuleBasedStateMachine):
    """Do the same to both, and look at both from all sides after each step."""

    @initialize(breaker=breakers(), now=st.sampled_from([0.0, 1e6]))
    def begin(self, breaker: Breaker, now: float) -> None:
        self.breaker, self.now = breaker, now
        self.circuit, self.naive = Circuit(breaker), Naive(breaker)
        self.permits: list[tuple[int, Call]] = []

    @rule(seconds=steps)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def wait_as_told(self) -> None:
        """BR-04 Who waits for as long as told finds it admitting, or a probe's time over."""
        was = self.circuit.state(self.now).value
        self.now += self.circuit.retry_after(self.now)
        if was == "open" and self.naive.forced is None:
            assert self.circuit.admits(self.now)

    @rule()
    def call(self) -> None:
        would_admit = self.circuit.admits(self.now)
        before = self.circuit.generation
        permit, call = self.circuit.admit(self.now), self.naive.admit(self.now)
        assert (permit is not None) is (call is not None) is would_admit
        assert self.circuit.generation - before <= 2
        if permit is not None:
            assert call is not None
            assert permit == self.circuit.generation
            self.permits.append((permit, call))

    @precondition(lambda self: self.permits)
    @rule(latest=st.booleans(), how=ends, is_slow=st.booleans(), again=st.integers(0, 9))
    def call_ends(self, latest: bool, how: str, is_slow: bool, again: int) -> None:
        """Have the latest call end, or the oldest, of some generation long past; some twice."""
        at = -1 if latest else 0
        permit, call = self.permits[at] if again == 5 else self.permits.pop(at)
        self.end(permit, call, how, is_slow)

    @rule(how=ends, is_slow=st.booleans(), times=st.integers(1, 4))
    def calls_end_at_once(self, how: str, is_slow: bool, times: int) -> None:
        for _ in range(times):
            permit, call = self.circuit.admit(self.now), self.naive.admit(self.now)
            if permit is not None and call is not None:
                self.end(permit, call, how, is_slow)

    # Ways that chance alone seldom takes: into half-open, and on with what is under way there.

    @precondition(lambda self: self.naive.recorded == "open" and not self.naive.forced)
    @rule(probes=st.integers(1, 4))
    def probes_begin(self, probes: int) -> None:
        self.wait_as_told()
        for _ in range(probes):
            self.call()

    @precondition(lambda self: self.naive.recorded == "half_open")
    @rule(seconds=st.sampled_from([0.0, 0.25, 0.5]))
    def another_probe_begins(self, seconds: float) -> None:
        self.now += seconds
        self.call()

    @precondition(lambda self: self.naive.recorded == "half_open" and self.naive.under_way())
    @rule(latest=st.booleans(), how=ends, is_slow=st.booleans())
    def a_probe_ends(self, latest: bool, how: str, is_slow: bool) -> None:
        under_way = [one for one in self.permits if one[1] in self.naive.under_way()]
        permit, call = under_way[-1 if latest else 0]
        self.end(permit, call, how, is_slow)

    def end(self, permit: int, call: Call, how: str, is_slow: bool) -> None:
        before, seconds = self.circuit.generation, 2.5 if is_slow else 2.0
        match how:
            case "succeeded":
                self.circuit.succeeded(permit, seconds, self.now)
            case "failed":
                self.circuit.failed(permit, seconds, self.now)
            case _:
                self.circuit.ignored(permit, self.now)
        self.naive.end(call, how, is_slow, self.now)
        assert self.circuit.generation - before <= 1

    @rule()
    def model_crashes(self) -> None:
        self.circuit.crashed(self.now)
        self.naive.crashed(self.now)

    @rule()
    def catches_up(self) -> None:
        self.circuit.catch_up(self.now)
        self.naive.catch_up(self.now)

    @rule(state=st.sampled_from(["open", "closed", None, None]), seldom=st.integers(0, 9))
    def operator_forces(self, state: Any, seldom: int) -> None:
        if seldom == 5 or self.naive.forced is not None:
            self.circuit.force(state, self.now)
            self.naive.force(state, self.now)

    @rule(seldom=st.integers(0, 9))
    def operator_resets(self, seldom: int) -> None:
        if seldom == 5:
            self.circuit.reset(self.now)
            self.naive.past.append(Past("closed", self.now, "reset"))

    @invariant()
    def looks_are_the_same(self) -> None:
        state, wait = self.naive.look(self.now)
        assert self.circuit.state(self.now).value == state
        assert self.circuit.retry_after(self.now) == pytest.approx(wait)
        assert self.circuit.admits(self.now) is (wait == 0)
        assert self.circuit.generation == self.naive.generation

    @invariant()
    def changes_are_the_same_and_lawful(self) -> None:
        change = self.circuit.last_change
        if change is None:
            assert self.naive.generation == 0
            return
        before, after = self.naive.past[-2:]
        assert (change.before.value, change.after.value) == (before.after, after.after)
        assert change.at == after.at
        by_itself = after.by == "itself"
        assert not by_itself or (before.after, after.after) in LEGAL
        opened = by_itself and after.after == "open"
        assert change.open_seconds == (self.naive.open_seconds(self.naive.trips) if opened else 0)

    @invariant()
    def counts_are_the_same(self) -> None:
        seen, calls = self.circuit.statistics(), self.naive.window()
        failures, slow = (sum(call[which] for call in calls) for which in (1, 2))
        assert (seen.calls, seen.failures, seen.slow) == (len(calls), failures, slow)
        assert seen.failure_rate == failures / max(1, len(calls))
        assert seen.slow_rate == slow / max(1, len(calls))
        assert seen.consecutive_failures == self.naive.in_a_row()
        assert seen.trips == self.naive.trips
        assert (seen.state.value, seen.forced) == (self.naive.recorded, self.naive.forced)
        is_timed = self.naive.recorded == "open" and self.naive.forced is None
        assert seen.opens_until == (self.naive.until() if is_timed else None)

    @invariant()
    def no_more_probes_than_allowed_are_under_way(self) -> None:
        """BR-05 By what was handed out, and not yet reported."""
        if self.naive.recorded == "half_open":
            assert len(self.naive.under_way()) <= self.breaker.probes


TestCircuit = CircuitMachine.TestCase
TestCircuit.settings = settings(max_examples=200, stateful_step_count=60)
