"""Target: what a router knows of one of its candidates."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from failsoft.supervisors.routing.admission import Line
from failsoft.supervisors.routing.candidate import Candidate
from failsoft.supervisors.routing.circuit import Circuit, CircuitState
from failsoft.supervisors.routing.failure import Failure
from failsoft.supervisors.routing.first_answers import FirstAnswers
from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.ready_time import ReadyTimes
from failsoft.supervisors.routing.route import Attempt, Route

# Seconds after which a model that isn't ready, and hasn't ended, isn't about to.
ENDING = 1.0


class CandidateInfo(msgspec.Struct, frozen=True):
    """Show one candidate. Times are in seconds.

    circuit: its breaker's state; forced: by an operator, and to what. retry_after: until a call
    may be let through. in_flight, waiting, limit: requests that it has, that queue for it, and
    that it gets at a time at present. expected_wait: of a request that comes now; ready_in: until
    it is probably ready, while it is not; None where that isn't known.
    """

    id: str
    is_ready: bool
    circuit: str
    forced: str | None
    retry_after: float
    in_flight: int
    waiting: int
    limit: int
    expected_wait: float | None
    ready_in: float | None
    is_drained: bool = False


class Target:
    """Hold a candidate's circuit, its queue, and what was learned of its times.

    starts_at: when its supervisor will start it, while it waits for that.
    unready_since: when it began not to want work, where it hasn't ended.
    is_down: its supervisor won't start it, unless it is told to.
    is_drained: it gets no more requests until it is started again, for an operator said so.
    known_generation: of the circuit, as last told of.
    blamed: the fingerprints of what was in work when a worker of it was lost, each with that
        worker, until it is started again.
    rests_until: it has asked to be left alone until then; of equals, the others are asked first.
    is_counted: the failure that its next end is due to has been counted.
    """

    __slots__ = (
        "attempts",
        "blamed",
        "breaker",
        "called",
        "circuit",
        "first_answers",
        "id",
        "is_choosy",
        "is_counted",
        "is_down",
        "is_drained",
        "is_first",
        "is_ready",
        "known_generation",
        "line",
        "rests_until",
        "spec",
        "starts_at",
        "times",
        "unready_since",
    )

    def __init__(self, spec: Candidate, policy: RoutePolicy, is_first: bool) -> None:
        self.spec = spec
        self.id = spec.id
        self.called = spec.called
        self.breaker = spec.breaker or policy.breaker
        self.circuit = None if self.breaker is None else Circuit(self.breaker)
        admission = spec.admission or policy.admission
        self.line: Line[Route] = Line(admission.beginning_at(spec.at_once))
        self.line.pause()
        self.times = ReadyTimes()
        hedge = policy.hedge
        self.first_answers = None if hedge is None else FirstAnswers(hedge.quantile, hedge.minimum)
        self.is_first = is_first
        self.is_choosy = spec.is_choosy
        self.is_ready = False
        self.is_counted = False
        self.rests_until = 0.0
        self.blamed: set[tuple[object, str]] = set()
        self.is_down = False
        self.is_drained = False
        self.unready_since: float | None = None
        self.starts_at: float | None = None
        self.known_generation = 0
        self.attempts: dict[Attempt, None] = {}

    def failed(self, failure: Failure, now: float, *, is_refusal: bool) -> None:
        """Take note of a failure. is_refusal: the actor goes on all the same."""
        if failure.retry_after:
            self.rests_until = now + failure.retry_after
        if failure.is_models_fault and not is_refusal and not self.spec.is_pool:
            self.crashes()

    def crashes(self) -> None:
        """Take note of a crash that has been counted: what else it had in hand fails by it too."""
        self.is_counted = True
        for attempt in self.attempts:
            attempt.is_in_crash = True

    def ready_in(self, now: float) -> float | None:
        """Give the seconds until it is probably ready; None where that isn't known.

        One that ends is restarted, and so is expected; one that goes on without wanting work isn't.
        """
        if self.unready_since is not None and now >= self.unready_since + ENDING:
            return None
        return self.times.expected(now, self.starts_at)

    def least_wait(self, now: float) -> float:
        """Give the seconds below which it won't be ready; infinity where nobody starts it."""
        return math.inf if self.is_down else self.times.least(now, self.starts_at)

    @property
    def has_suspect(self) -> bool:
        """Tell whether it works on a request that was in work when a worker was lost.

        Of those it gets one at a time, so that the next loss, if there is one, tells which it was.
        """
        return any(attempt.route.workers_lost for attempt in self.attempts)

    def admits(self, now: float) -> bool:
        """Tell whether its circuit would let somebody's request through now."""
        circuit = self.circuit
        if circuit is None:
            return True
        if not circuit.admits(now):
            return False
        return self.spec.canary is None or circuit.state(now) is CircuitState.CLOSED

    def retry_after(self, now: float) -> float:
        """Give the seconds until it may take requests again, as far as is known."""
        wait = 0.0 if self.circuit is None else self.circuit.retry_after(now)
        if not self.is_ready:
            wait = max(wait, self.ready_in(now) or 0.0)
        return wait or self.line.retry_after(now)

    def info(self, now: float) -> CandidateInfo:
        """Show it as it is now."""
        line = self.line
        return CandidateInfo(
            id=self.id,
            is_ready=self.is_ready,
            in_flight=line.in_flight,
            waiting=line.waiting,
            limit=line.limit,
            expected_wait=line.expected_wait(now) if self.is_ready else None,
            ready_in=None if self.is_ready else self.ready_in(now),
            is_drained=self.is_drained,
            **shown_of(self.circuit, now),
        )

    def __repr__(self) -> str:
        ready = "ready" if self.is_ready else "not ready"
        return f"<Target {self.id} {ready} {self.circuit!r} {self.line!r}>"


def shown_of(circuit: Circuit | None, now: float) -> dict[str, Any]:
    """Give what ``CandidateInfo`` shows of a circuit."""
    if circuit is None:
        return {"circuit": "none", "forced": None, "retry_after": 0.0}
    return {
        "circuit": circuit.state(now).value,
        "forced": circuit.statistics().forced,
        "retry_after": circuit.retry_after(now),
    }
