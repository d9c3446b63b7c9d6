"""Ends: what a request may end with, and whether an error is one that the service owes."""

from __future__ import annotations

from typing import Any, Final

import msgspec

# What the caller did itself, and what a service that has been told to end may do.
LEFT: Final = "left"
UNTAKEN: Final = "untaken"
ANSWERED: Final = "answered"
# lost: no end, or the deadline's to a patient caller. wrong: something else than the answer.
# silent: a stream that just stopped. both: one with more after its end.
BAD: Final = ("lost", "wrong", "silent", "both")

_STATUSES: Final = {
    "invalid_input": {400, 408, 413, 415, 422},
    "context_length_exceeded": {400},
    "not_found": {404},
    "model_not_found": {404},
    "method_not_allowed": {405},
    "model_overloaded": {429, 503},
    "inference_timeout": {504},
    "out_of_memory": {507},
    "generation_failed": {500},
    "model_loading_failed": {500},
    "poisoned_request": {500},
    "worker_lost": {500},
}


class Refusal(msgspec.Struct, frozen=True):
    """Be an error, as its body says it."""

    kind: str
    correlation_id: str | None


class _Plain(msgspec.Struct):
    error: str
    error_type: str
    details: dict[str, Any]
    is_retryable: bool
    timestamp: str
    correlation_id: str | None


class _Failsoft(msgspec.Struct):
    details: dict[str, Any]
    is_retryable: bool
    correlation_id: str | None


class _Error(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str
    failsoft: _Failsoft


class _OpenAI(msgspec.Struct):
    error: _Error


def refusal_in(body: bytes) -> Refusal | None:
    """Read the body of an error in either shape; None where it is in neither."""
    try:
        said = msgspec.json.decode(body, type=_Plain)
        return Refusal(said.error_type, said.correlation_id)
    except msgspec.DecodeError:
        pass
    try:
        error = msgspec.json.decode(body, type=_OpenAI).error
        return Refusal(error.code, error.failsoft.correlation_id)
    except msgspec.DecodeError:
        return None


def end_by(refusal: Refusal | None, status: int | None, id: str, *, is_patient: bool) -> str:
    """Give the end that an error is. status: None in the midst of a stream.

    Nothing takes as long as a patient caller waits: what only the deadline ended was lost.
    """
    if refusal is None or refusal.correlation_id != id:
        return "wrong"
    if status not in (None, *_STATUSES.get(refusal.kind, ())) or refusal.kind not in _STATUSES:
        return "wrong"
    if refusal.kind == "inference_timeout" and is_patient:
        return "lost"
    return refusal.kind
