"""The way of one request through a router: where it has been, and what became of it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import msgspec

from failsoft.actors import ActorStopped, Context, MailboxFull
from failsoft.actors.errors import describe
from failsoft.messages import (
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    WorkerLost,
)
from failsoft.messages.events import RequestFinished

# Workers that a request may take down before it is held to be the cause.
MOST_WORKERS_LOST = 2


class Failure(msgspec.Struct, frozen=True):
    """Know what a candidate's failure means for the request.

    is_final: no other candidate will do better. is_retryable: the same one may, later.
    lost_worker: the request was in work when the worker was lost.
    """

    error: InferenceError
    is_final: bool
    is_retryable: bool
    lost_worker: bool

    @property
    def cause(self) -> str:
        return self.error.kind

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Judge ``error``; raise it on where it is none that a candidate may answer with."""
        match error:
            case InferenceTimeout():
                return cls(error, True, False, False)
            case InferenceError():
                # Of a lost worker, and of an error that leaves its device unusable.
                lost = bool(error.details.get("begun"))
                elsewhere = error.is_retryable or isinstance(error, OutOfMemory)
                is_final = error.is_callers_fault or not elsewhere
                return cls(error, is_final, error.is_retryable, lost)
            case ActorStopped():
                return cls(WorkerLost(f"The model stopped: {error.reason}."), False, True, False)
            case MailboxFull():
                return cls(ModelOverloaded("The model's mailbox is full."), False, True, False)
            case _:
                wrapped = GenerationFailed(f"The model failed: {describe(error)}.")
                wrapped.__cause__ = error
                return cls(wrapped, False, True, False)


class Route:
    """Follow one request; as a context manager, publish RequestFinished at its end.

    round: the candidates tried since the last wait. rounds: those that are over.
    """

    def __init__(
        self,
        *,
        request: str,
        context: Context,
        deadline: float,
        correlation_id: str | None,
        candidates: int,
    ) -> None:
        self.deadline = deadline
        self.correlation_id = correlation_id
        self.model = ""
        self.was_fallback = False
        self.attempts = 0
        self.round: dict[str, Failure] = {}
        self.rounds = 0
        self.is_answered = False
        self._request = request
        self._context = context
        self._candidates = candidates
        self._began_at = context.clock.now()
        self._first_at: float | None = None
        self._tried: dict[str, str] = {}
        self._workers_lost = 0
        self._usage: Any = None

    # -- on the way

    def send_to(self, model: str, *, is_first: bool) -> None:
        """Take note that the request goes to ``model`` now."""
        self.model = model
        self.was_fallback = not is_first
        self.attempts += 1

    def saw_chunk(self, chunk: Any) -> None:
        """Take note of a chunk on its way to the reader."""
        if self._first_at is None:
            self._first_at = self._context.clock.now()
        self._usage = getattr(chunk, "usage", None) or self._usage

    def failed(self, failure: Failure) -> None:
        """Take note that the model failed; raise where that is the request's end."""
        self._workers_lost += failure.lost_worker
        if self._first_at is not None or failure.is_final:
            raise self._final(failure.error)
        if self._workers_lost >= MOST_WORKERS_LOST:
            raise self._final(
                PoisonedRequest(
                    f"The request was in work when {self._workers_lost} workers were lost; "
                    "it is not tried again. Change the prompt.",
                    details={"tried_models": {**self._tried, self.model: failure.cause}},
                )
            ) from failure.error
        self.round[self.model] = failure
        self._tried[self.model] = failure.cause

    def end_round(self, retries: int) -> None:
        """Begin a new round; raise where that can't help, or there were enough."""
        self.rounds += 1
        if self.rounds > retries or not any(f.is_retryable for f in self.round.values()):
            raise self.failure()
        self._last = next(reversed(self.round.values()))
        self.round = {}

    def failure(self) -> InferenceError:
        """Give the one error for a request that all candidates failed."""
        last = next(reversed(self.round.values())).error if self.round else self._last.error
        if self._candidates == 1:
            return self._final(last)
        error = ModelOverloaded(
            "No model of this route could answer; try again later.",
            details={"tried_models": dict(self._tried)},
        )
        error.__cause__ = last
        return self._final(error)

    def answered(self, reply: Any) -> Any:
        """Take note of the end, and give the reply back."""
        self.is_answered = True
        self._usage = getattr(reply, "usage", None) or self._usage
        return reply

    def _final(self, error: InferenceError) -> InferenceError:
        error.details.setdefault("attempts", self.attempts)
        error.correlation_id = error.correlation_id or self.correlation_id
        return error.as_answer()

    # -- at the end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        now = self._context.clock.now()
        usage = self._usage
        self._context.publish(
            RequestFinished,
            request=self._request,
            outcome=self._outcome(error, now),
            seconds=now - self._began_at,
            first_seconds=None if self._first_at is None else self._first_at - self._began_at,
            model_used=self.model if self.is_answered else "",
            was_fallback=self.was_fallback,
            attempts=self.attempts,
            prompt_tokens=getattr(usage, "prompt_tokens", 0),
            completion_tokens=getattr(usage, "completion_tokens", 0),
            correlation_id=self.correlation_id,
        )

    def _outcome(self, error: BaseException | None, now: float) -> str:
        match error:
            case None:
                return "ok"
            case InferenceError():
                return error.kind
            case asyncio.CancelledError() | GeneratorExit():
                return "inference_timeout" if now >= self.deadline else "cancelled"
            case _:
                return type(error).__name__


def annotated(reply: Any, route: Route) -> Any:
    """Give the reply, or the chunk, with what the route knows, where it has fields for it."""
    if "model_used" not in getattr(reply, "__struct_fields__", ()):
        return reply
    return msgspec.structs.replace(
        reply, model_used=route.model, was_fallback=route.was_fallback, attempts=route.attempts
    )
