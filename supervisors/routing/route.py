"""The way of one request through a router: where it has been, and what became of it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import msgspec

from failsoft.messages import InferenceError, InferenceTimeout, ModelOverloaded
from failsoft.supervisors.routing.degradation import Level, warning_for
from failsoft.supervisors.routing.failure import Failure, NotTaken
from failsoft.supervisors.routing.fingerprint import fingerprint
from failsoft.supervisors.routing.given import Given

if TYPE_CHECKING:
    from failsoft.supervisors.routing.target import Target


class Stage(enum.Enum):
    """Name where a request stands.

    queued: it waits for a slot of a model. sent: at least one model has it. pausing: all have
    failed it, and it waits for the next round. over: it is answered, or was given up.
    """

    NEW = "new"
    QUEUED = "queued"
    SENT = "sent"
    PAUSING = "pausing"
    OVER = "over"


class Attempt(msgspec.Struct, eq=False):
    """Be one send of a request to one model.

    permit: of the model's circuit. carried: what the carrier needs to call it off.
    is_in_crash: its model crashed meanwhile, which has been counted.
    """

    route: Route
    target: Target
    permit: int
    began_at: float
    is_hedge: bool
    is_in_crash: bool = False
    carried: Any = None

    def is_fault(self, failure: Failure, now: float) -> bool:
        """Tell whether its failure counts in the model's circuit. A crash does once.

        A pool's doesn't: each replica has a circuit, and the others may be well.
        """
        if not failure.is_models_fault or self.is_in_crash or self.target.spec.is_pool:
            return False
        return not isinstance(failure.error, InferenceTimeout) or self.had_time(now)

    def had_time(self, now: float) -> bool:
        """Tell whether the model has had the time that it usually takes: else it hasn't failed."""
        return now - self.began_at >= self.target.line.usual_seconds

    def __repr__(self) -> str:
        return f"<Attempt {self.target.id} since={self.began_at:g}>"


class Route(msgspec.Struct, eq=False):
    """Follow one request. It is its own ticket in the queue of a model.

    asked, request: as it came, and as it is sent: perhaps for less.
    carried: what the carrier needs to answer.
    attempts: those under way. sends: how many there have been.
    round: the models that failed it since the last pause. rounds: those that are over.
    tried: model → cause, of the last failure or of what kept the request from it.
    line: the model in whose queue it waits.
    prompt_tokens: how long a model found it that it was too long for; else 0.
    winner: the attempt that began to answer first; only its answer counts.
    given: what the reader of a stream has; None where the stream can't be gone on with.
    keeps_to: the model that alone may go on with it; empty for any.
    """

    asked: Any
    arrived_at: float
    deadline: float
    is_stream: bool = False
    correlation_id: str | None = None
    traceparent: str | None = None
    carried: Any = None
    is_canary: bool = False
    request: Any = None
    priority: int = 0
    tenant: str = ""
    stage: Stage = Stage.NEW
    level: Level = Level.FULL
    attempts: list[Attempt] = []
    sends: int = 0
    model: str = ""
    was_fallback: bool = False
    round: dict[str, Failure] = {}
    rounds: int = 0
    tried: dict[str, str] = {}
    last: InferenceError | None = None
    line: Target | None = None
    winner: Attempt | None = None
    sent_at: float | None = None
    first_at: float | None = None
    workers_lost: int = 0
    was_halved: bool = False
    usage: Any = None
    given: Given | None = None
    keeps_to: str = ""
    prompt_tokens: int = 0
    _fingerprint: str = ""

    def __post_init__(self) -> None:
        self.request = self.asked
        self.priority = getattr(self.asked, "priority", 0)
        self.tenant = getattr(self.asked, "tenant", "")

    @property
    def is_over(self) -> bool:
        return self.stage is Stage.OVER

    @property
    def ids(self) -> dict[str, str | None]:
        """Give what an event about it is found by."""
        return {"correlation_id": self.correlation_id, "traceparent": self.traceparent}

    @property
    def kind(self) -> str:
        return type(self.request).__name__

    @property
    def fingerprint(self) -> str:
        """Give what all requests like this one have in common."""
        if not self._fingerprint:
            self._fingerprint = fingerprint(self.asked)
        return self._fingerprint

    @property
    def warning(self) -> str:
        """Say in words where it was sent for less than was asked; empty where it wasn't."""
        return " ".join(filter(None, (self._cut_warning, self._resumed_warning)))

    @property
    def _resumed_warning(self) -> str:
        given = self.given
        if given is None or not given.resumed_after:
            return ""
        lost = f"A worker was lost after {given.resumed_after} tokens"
        if self.model != given.model:
            return f"{lost} of {given.model}; {self.model} went on from there."
        if self.asked.seed is None and self.asked.temperature > 0:
            return f"{lost}; another one went on from there."
        return ""  # the answer is the one that it would have been

    @property
    def _cut_warning(self) -> str:
        if self.was_halved:
            return (
                "The request failed as it was, so the answer was made with at most "
                f"{self.request.max_tokens} tokens instead of {self.asked.max_tokens}."
            )
        return warning_for(self.level, self.asked, self.request)

    def sent(self, attempt: Attempt, is_first: bool) -> None:
        """Take note that it goes to a model now."""
        self.stage = Stage.SENT
        self.attempts.append(attempt)
        self.sends += 1
        self.model = attempt.target.called
        self.was_fallback = not is_first
        if self.sent_at is None:
            self.sent_at = attempt.began_at

    @property
    def tokens_given(self) -> int:
        """Give how many tokens the reader of a stream has, where that is known."""
        return 0 if self.given is None else self.given.tokens

    def goes_on(self, may_change_model: bool) -> bool:
        """Prepare for another worker to go on with the stream; tell whether one can."""
        given = self.given
        if given is None or not given.is_known or not given.tokens:
            return False
        given.model = given.model or self.model
        given.resumed_after = given.resumed_after or given.tokens
        self.keeps_to = "" if may_change_model else self.model
        self.request = msgspec.structs.replace(self.request, answered=given.answered())
        self.winner = None
        return True

    def failed(self, attempt: Attempt, failure: Failure) -> None:
        """Take note that a model failed it."""
        target = attempt.target
        # A pool has other workers. What was not in work it has tried with all of them already.
        was_in_work = failure.lost_worker or (failure.is_of_worker and self.winner is attempt)
        if not (was_in_work and target.spec.is_pool and target.is_ready):
            self.round[target.id] = failure
        self.tried[target.id] = failure.cause
        self.last = failure.error
        self.workers_lost += failure.lost_worker
        length = failure.error.details.get("input_length")
        if isinstance(length, int):
            self.prompt_tokens = length

    @property
    def work(self) -> float | None:
        """Give how much work its answer was, in tokens; None where that isn't known."""
        return getattr(self.usage, "completion_tokens", None) or None

    @property
    def is_owed(self) -> bool:
        """Tell whether a worker was lost over it in this round: the budget doesn't bear that."""
        return any(failure.is_of_worker for failure in self.round.values() if failure.is_retryable)

    def error(self, error: InferenceError, **details: Any) -> InferenceError:
        """Give ``error`` as this request's answer."""
        answer = error.as_answer()
        answer.details = {"attempts": self.sends, **details, **answer.details}
        answer.correlation_id = answer.correlation_id or self.correlation_id
        return answer

    def all_failed(self, targets: int, **details: Any) -> InferenceError:
        """Give the one error for a request that no model answers."""
        failures = self.round.values()
        is_taken_by_none = len(failures) == targets and all(
            isinstance(each.error, NotTaken) for each in failures
        )
        if self.last is not None and (targets == 1 or is_taken_by_none):
            return self.error(self.last, **details)
        said = ModelOverloaded(
            "No model of this route can answer now; try again later.",
            details={"tried_models": dict(self.tried), **details},
        )
        said.__cause__ = self.last
        return self.error(said)

    def __repr__(self) -> str:
        return f"<Route {self.kind} {self.stage.value} sends={self.sends} tried={self.tried}>"
