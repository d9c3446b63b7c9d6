"""The error taxonomy: every way in which a request can fail, one class each.

An error is an exception here, an ``ErrorInfo`` on the worker's wire and a dict over HTTP.
Internals (paths, tracebacks) stay out of all three; they reach the log.
"""

from __future__ import annotations

import copy
import time
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

import msgspec


class ErrorInfo(msgspec.Struct, frozen=True):
    """Carry an error between processes. ``timestamp`` is in seconds since the epoch."""

    kind: str
    message: str
    details: dict[str, Any]
    is_retryable: bool
    timestamp: float
    correlation_id: str | None = None


class InferenceError(Exception):
    """Be the base of all typed errors.

    kind: the fixed wire name.
    is_retryable: whether the same request may well succeed when sent again.
    is_callers_fault: the request itself is wrong: answered, counted in no breaker,
        never a reason to restart or to fall back.
    is_refusal: an answer and not a failure of the actor that raises it.
    happened_elsewhere: another failsoft service told of it; a worker that was lost was its own.
    """

    kind: ClassVar[str] = "generation_failed"
    is_callers_fault: ClassVar[bool] = False
    is_refusal: bool = False
    happened_elsewhere: bool = False
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        correlation_id: str | None = None,
        timestamp: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details or {}
        self.is_retryable = self.retryable
        self.correlation_id = correlation_id
        self.timestamp = time.time() if timestamp is None else timestamp

    def as_answer(self) -> Self:
        """Give a copy to pass on: an actor that raises it has not failed itself."""
        answer = copy.copy(self)
        answer.details = dict(self.details)
        answer.__cause__ = self.__cause__
        answer.is_refusal = True
        return answer

    @property
    def info(self) -> ErrorInfo:
        """Give the error as a Struct, for the wire."""
        return ErrorInfo(
            kind=self.kind,
            message=self.message,
            details=self.details,
            is_retryable=self.is_retryable,
            timestamp=self.timestamp,
            correlation_id=self.correlation_id,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the error as HTTP shows it; ``timestamp`` in ISO 8601, UTC."""
        return {
            "error": self.message,
            "error_type": self.kind,
            "details": self.details,
            "is_retryable": self.is_retryable,
            "timestamp": datetime.fromtimestamp(self.timestamp, UTC).isoformat(),
            "correlation_id": self.correlation_id,
        }


class ModelLoadingFailed(InferenceError):
    """Tell that a model's weights could not be loaded."""

    kind = "model_loading_failed"
    retryable = True


class InferenceTimeout(InferenceError):
    """Tell that the deadline passed. Details: ``timeout_seconds``, and ``tokens`` made by then."""

    kind = "inference_timeout"
    is_refusal = True
    retryable = True

    @classmethod
    def after(cls, seconds: float, **details: Any) -> InferenceTimeout:
        return cls(
            f"The deadline passed after {seconds:.3g} s; allow more time or ask for less.",
            details={"timeout_seconds": round(seconds, 3), **details},
        )


class OutOfMemory(InferenceError):
    """Tell that the device ran out of memory; another model may still answer.

    Details: ``memory_used_mb``, ``memory_available_mb`` (MiB).
    """

    kind = "out_of_memory"

    @classmethod
    def on_device(
        cls,
        used_mb: float,
        available_mb: float,
        said: str = "The model ran out of memory; ask for fewer tokens or a shorter prompt.",
    ) -> OutOfMemory:
        return cls(
            said,
            details={
                "memory_used_mb": round(used_mb, 1),
                "memory_available_mb": round(available_mb, 1),
            },
        )


class InvalidInput(InferenceError):
    """Tell what is wrong with a request. Details: ``field_errors``, path → words."""

    kind = "invalid_input"
    is_callers_fault = True
    is_refusal = True

    @classmethod
    def in_fields(cls, field_errors: dict[str, str]) -> InvalidInput:
        said = "; ".join(f"{path}: {words}" for path, words in field_errors.items())
        return cls(f"The request is not valid: {said}.", details={"field_errors": field_errors})


class ModelOverloaded(InferenceError):
    """Tell that nothing can take the request now.

    Details, where known: ``retry_after`` (seconds), ``circuit_state``, ``tried_models``
    (model → cause).
    """

    kind = "model_overloaded"
    is_refusal = True
    retryable = True


class GenerationFailed(InferenceError):
    """Tell that the engine failed while it worked on the request."""

    kind = "generation_failed"
    retryable = True


class ContextLengthExceeded(InferenceError):
    """Tell that a prompt is too long. Details: ``input_length``, ``max_length``, ``suggestion``."""

    kind = "context_length_exceeded"
    is_callers_fault = True
    is_refusal = True

    @classmethod
    def of(cls, input_length: int, max_length: int) -> ContextLengthExceeded:
        suggestion = f"Shorten the prompt by at least {input_length - max_length} tokens."
        return cls(
            f"The prompt has {input_length} tokens; the model takes at most {max_length}.",
            details={
                "input_length": input_length,
                "max_length": max_length,
                "suggestion": suggestion,
            },
        )


class WorkerLost(InferenceError):
    """Tell that the worker process died or was killed with the request in hand."""

    kind = "worker_lost"
    retryable = True


class Cancelled(InferenceError):
    """Tell that the caller went away."""

    kind = "cancelled"
    is_refusal = True


class PoisonedRequest(InferenceError):
    """Tell that the request took down two workers, and is refused for a while."""

    kind = "poisoned_request"
    is_refusal = True


_BY_KIND: dict[str, type[InferenceError]] = {
    error.kind: error
    for error in (
        ModelLoadingFailed,
        InferenceTimeout,
        OutOfMemory,
        InvalidInput,
        ModelOverloaded,
        GenerationFailed,
        ContextLengthExceeded,
        WorkerLost,
        Cancelled,
        PoisonedRequest,
    )
}


def error_from(info: ErrorInfo) -> InferenceError:
    """Make the exception that ``info`` describes; an unknown kind is a ``GenerationFailed``."""
    error = _BY_KIND.get(info.kind, GenerationFailed)(
        info.message,
        details=info.details,
        correlation_id=info.correlation_id,
        timestamp=info.timestamp,
    )
    error.is_retryable = info.is_retryable
    return error
