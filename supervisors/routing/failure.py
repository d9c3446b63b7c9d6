"""Failure: what a model's error means for the request, and for the model."""

from __future__ import annotations

import msgspec

from failsoft.actors import ActorStopped, MailboxFull
from failsoft.messages import (
    Cancelled,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
    ModelOverloaded,
    PoisonedRequest,
    WorkerLost,
)


class NotTaken(InvalidInput):
    """Tell that a model has no handler for a request, such as for a stream; another may have."""


class Failure(msgspec.Struct, frozen=True):
    """Judge an error that a model answered with.

    is_final: no other model will do better. is_retryable: the same one may, later.
    lost_worker: the request was in work when the worker was lost.
    is_models_fault: it counts in the model's breaker. A refusal doesn't: that is how a model
        that is well protects itself. Nor does the loss of a worker that others were the cause of.
    """

    error: InferenceError
    is_final: bool
    is_retryable: bool
    lost_worker: bool
    is_models_fault: bool

    @property
    def cause(self) -> str:
        return self.error.kind

    @property
    def worker(self) -> object:
        """Tell one lost worker of a model from the next; None where the model doesn't."""
        return self.error.details.get("worker")

    @property
    def is_of_worker(self) -> bool:
        """Tell whether a worker of this service was lost, by whosever doing.

        Another try is owed then: it comes to a new worker, and adds nothing to what others bear.
        A server elsewhere sees to that itself.
        """
        was_lost = self.lost_worker or isinstance(self.error, WorkerLost)
        return was_lost and not self.error.happened_elsewhere

    @property
    def retry_after(self) -> float:
        """Give the seconds for which the model asks to be left alone; 0.0 where it doesn't."""
        said = self.error.details.get("retry_after", 0.0)
        return float(said) if isinstance(said, int | float) and said > 0 else 0.0

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        match error:
            case InferenceTimeout():
                # Of its own, or the request's, after which nobody else is asked anyway.
                return cls(error, False, True, False, True)
            case NotTaken():
                return cls(error, False, False, False, False)
            case PoisonedRequest() | Cancelled():
                return cls(error, True, False, False, False)
            case ModelOverloaded():
                return cls(error, False, True, False, False)
            case InferenceError():
                # Of a lost worker, and of an error that leaves its device unusable.
                lost = bool(error.details.get("begun"))
                is_innocent = isinstance(error, WorkerLost) and not lost
                is_fault = not (error.is_callers_fault or is_innocent)
                return cls(error, error.is_callers_fault, error.is_retryable, lost, is_fault)
            case ActorStopped():
                said = WorkerLost(f"The model stopped: {error.reason}.")
                return cls(said, False, True, False, False)
            case MailboxFull():
                full = ModelOverloaded("The model's mailbox is full; send it less.")
                return cls(full, False, True, False, False)
            case _:
                # Its words are the log's: they may hold paths, and clients see these.
                wrapped = GenerationFailed(f"The model failed with {type(error).__name__}.")
                wrapped.__cause__ = error
                return cls(wrapped, False, True, False, True)
