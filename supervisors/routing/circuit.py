"""The circuit in front of a model: closed, open, half-open, and what moves it."""

from __future__ import annotations

import math
from typing import assert_never

from failsoft.supervisors.routing.breaker import Breaker
from failsoft.supervisors.routing.circuit_state import (
    Change,
    CircuitState,
    CircuitStatistics,
    Forced,
)
from failsoft.supervisors.routing.probes import Probes
from failsoft.supervisors.routing.sliding_window import FAILED, SLOW, WELL, open_window

__all__ = ["Change", "Circuit", "CircuitState", "CircuitStatistics", "Forced"]

# Looked up at every call: a name of the module costs less than a member of the enum.
_CLOSED, _OPEN, _HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class Circuit:
    """Decide which calls a model gets, by how the ones before them ended.

    Every ``now`` is in seconds of one clock that never goes back. A caller asks ``admit``, and
    reports to ``succeeded``, ``failed`` or ``ignored`` once, with the permit that it got.
    generation: grows by one with each change; a caller who compares it learns of changes, and
        the results of calls from before the last one count as nothing.
    last_change: what changed then. A call makes one change at most, but for ``admit`` where a
        probe has been overdue for so long that the open time after it is over too.
    """

    __slots__ = (
        "_breaker",
        "_closed_at",
        "_failures_in_a_row",
        "_forced",
        "_opens_until",
        "_probes",
        "_slow_seconds",
        "_state",
        "_trips",
        "_well",
        "_window",
        "generation",
        "last_change",
    )

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self.generation = 0
        self.last_change: Change | None = None
        self._slow_seconds = breaker.slow_seconds
        self._window = open_window(breaker.window)
        self._probes = Probes(breaker.probes, breaker.probe_seconds)
        self._state = _CLOSED
        self._forced: Forced | None = None
        self._closed_at = self._opens_until = -math.inf
        self._failures_in_a_row = self._trips = self._well = 0

    # -- looks, that change nothing

    @property
    def opens_until(self) -> float | None:
        """Give when its open time is over; None where it isn't open, or is forced open."""
        return self._opens_until if self._state is _OPEN and self._forced is None else None

    def state(self, now: float) -> CircuitState:
        """Give the state that a call made now would find.

        So an open circuit whose time is over is half-open, although no call has come yet; and a
        half-open one with an overdue probe is open, although nobody has taken note of it.
        """
        until = self._open_until(now)
        if until is None:
            return self._state
        return _OPEN if now < until else _HALF_OPEN

    def admits(self, now: float) -> bool:
        """Tell whether a call would be let through now."""
        return self._state is _CLOSED or self.retry_after(now) == 0

    def retry_after(self, now: float) -> float:
        """Give the seconds until a call may be let through, always finite; 0 where one may now.

        It is a guess where nobody knows: ``open_seconds`` while an operator holds it open, and
        the time that the oldest probe has left while all places are taken.
        """
        if self._forced == "open":
            return self._breaker.open_seconds
        until = self._open_until(now)
        if until is None and self._state is _HALF_OPEN and self._probes.is_full:
            until = self._probes.first_end()
        return 0.0 if until is None else _wait(until, now)

    def _open_until(self, now: float) -> float | None:
        """Give when the open time ends that is under way or just over; None for neither."""
        if self._state is _OPEN:
            return self._opens_until
        given_up_at = self._given_up_at(now)
        return (
            None if given_up_at is None else given_up_at + self._breaker.open_for(self._trips + 1)
        )

    # -- a call and what becomes of it

    def admit(self, now: float) -> int | None:
        """Let a call through and give its permit (the generation), or refuse it with None.

        The first call after the open time makes the circuit half-open; that lets ``probes``
        calls through at a time.
        """
        if self._state is _CLOSED:
            return self.generation
        before = self._state
        self.catch_up(now)
        if self._state is _OPEN and now >= self._opens_until:
            since = "" if before is _OPEN else " that began when a probe didn't end"
            self._change(_HALF_OPEN, f"the open time{since} is over", now)
        if self._state is _OPEN or self._probes.is_full:
            return None
        return self._probes.take(self.generation, now)

    def succeeded(self, permit: int, seconds: float, now: float) -> None:
        """Count a call that was answered after ``seconds``."""
        if permit != self.generation:
            return
        is_slow = seconds > self._slow_seconds
        if self._state is not _CLOSED:
            self._probe_answered(permit, is_slow, now)
            return
        self._failures_in_a_row = 0
        window = self._window
        window.add(SLOW if is_slow else WELL, now)
        if window.failures or window.slow:
            self._judge(now)

    def failed(self, permit: int, seconds: float, now: float) -> None:
        """Count a call that the model failed after ``seconds``."""
        if permit != self.generation:
            return
        if self._state is _CLOSED:
            self._count_failure(FAILED | SLOW if seconds > self._slow_seconds else FAILED, now)
        elif self._give_back(permit, now):
            self._open("a probe failed", now)

    def ignored(self, permit: int, now: float) -> None:
        """Count nothing, and give a probe's place back: the end wasn't the model's doing.

        For a caller's fault, a cancelled call, and a deadline that had already passed.
        """
        if permit == self.generation:
            self._give_back(permit, now)

    def crashed(self, now: float) -> None:
        """Count a failure without a call: the model died while idle, or couldn't be loaded."""
        self.catch_up(now)
        match self._state:
            case CircuitState.CLOSED:
                self._count_failure(FAILED, now)
            case CircuitState.HALF_OPEN:
                self._open("the model crashed while it was being probed", now)
            case CircuitState.OPEN:
                pass
            case never:
                assert_never(never)

    def catch_up(self, now: float) -> None:
        """Open a half-open circuit whose probe is overdue, from when it became so.

        All methods above that change anything begin with it, so that what they do depends on
        times alone, never on who looked when. Who wants to hear of it at once, calls it then.
        """
        given_up_at = self._given_up_at(now)
        if given_up_at is not None:
            self._open(f"a probe didn't end in {self._breaker.probe_seconds:g} s", given_up_at)

    def _given_up_at(self, now: float) -> float | None:
        first_end = self._probes.first_end()
        return None if first_end is None or now < first_end else first_end

    # -- the operator

    def force(self, state: Forced | None, now: float) -> None:
        """Hold it open or closed whatever the results are; None gives it back, closed and clean.

        Results still count while it is held closed, for the statistics. What it is held at
        already changes nothing, nor does giving back what isn't held.
        """
        if state == self._forced:
            return
        self._forced = state
        match state:
            case "open":
                self._opens_until = math.inf
                self._change(_OPEN, "forced open by an operator", now)
            case "closed":
                self._change(_CLOSED, "forced closed by an operator", now)
            case None:
                self._change(_CLOSED, "given back by an operator", now)
            case never:
                assert_never(never)

    def reset(self, now: float) -> None:
        """Close it with clean counts, held by nobody, its openings forgotten."""
        self._forced = None
        self._trips = 0
        self._change(_CLOSED, "reset by an operator", now)

    # -- the moves

    def _count_failure(self, outcome: int, now: float) -> None:
        self._failures_in_a_row += 1
        self._window.add(outcome, now)
        self._judge(now)

    def _judge(self, now: float) -> None:
        if self._forced is None:
            window, in_a_row = self._window, self._failures_in_a_row
            reason = self._breaker.reason_to_open(
                in_a_row, window.calls, window.failures, window.slow
            )
            if reason is not None:
                self._open(reason, now)

    def _probe_answered(self, permit: int, is_slow: bool, now: float) -> None:
        if not self._give_back(permit, now):
            return
        breaker = self._breaker
        if is_slow and breaker.slow_rate is not None:
            self._open(f"a probe took longer than {breaker.slow_seconds:g} s", now)
            return
        self._well += 1
        if self._well >= breaker.probes:
            self._change(_CLOSED, f"{self._well} of {breaker.probes} probes succeeded", now)

    def _give_back(self, permit: int, now: float) -> bool:
        """Free a probe's place; tell whether it still had one."""
        self.catch_up(now)
        return self._probes.give_back(permit)

    def _open(self, reason: str, at: float) -> None:
        if self._state is _CLOSED and at - self._closed_at >= self._breaker.longest_open:
            self._trips = 0
        self._trips += 1
        seconds = self._breaker.open_for(self._trips)
        self._opens_until = at + seconds
        self._change(_OPEN, reason, at, seconds)

    def _change(self, after: CircuitState, reason: str, at: float, seconds: float = 0.0) -> None:
        """Go to a state: the only place that does."""
        self.last_change = Change(self._state, after, reason, at, seconds)
        self.generation += 1
        self._state = after
        self._probes.clear()
        self._well = 0
        if after is _CLOSED:
            self._closed_at = at
            self._failures_in_a_row = 0
            self._window.clear()

    # -- what is to be seen

    def statistics(self) -> CircuitStatistics:
        """Show what it counted, and where that led."""
        window = self._window
        calls = window.calls or 1
        return CircuitStatistics(
            state=self._state,
            forced=self._forced,
            calls=window.calls,
            failures=window.failures,
            slow=window.slow,
            consecutive_failures=self._failures_in_a_row,
            failure_rate=window.failures / calls,
            slow_rate=window.slow / calls,
            trips=self._trips,
            opens_until=self.opens_until,
        )

    def __repr__(self) -> str:
        seen = f"{self._failures_in_a_row} failures in a row, {self._window!r}"
        if self._state is _HALF_OPEN:
            seen = f"{self._probes!r}, {self._well} well"
        elif self._state is _OPEN:
            seen = f"until {self._opens_until:g} s, trip {self._trips}"
        forced = "" if self._forced is None else "forced "
        return f"<Circuit {forced}{self._state.value}: {seen}>"


def _wait(until: float, now: float) -> float:
    """Give the seconds from now until then, rounded so that who waits for them isn't early."""
    seconds = max(0.0, until - now)
    return seconds if now + seconds >= until else math.nextafter(seconds, math.inf)
