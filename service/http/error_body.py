"""Errors as HTTP tells them: their status, their headers, and their body in two shapes."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
import structlog

from failsoft.actors import (
    ActorStopped,
    MailboxFull,
    MessageDropped,
    NoSuchActor,
    StashFull,
    SystemNotRunning,
    current_correlation_id,
)
from failsoft.messages import GenerationFailed, InferenceError, ModelOverloaded
from failsoft.service.http.refusals import Refused

log = structlog.get_logger("failsoft.http")

_STATUS: Final = {
    "invalid_input": 400,
    "context_length_exceeded": 400,
    "out_of_memory": 507,
    "inference_timeout": 504,
    "model_overloaded": 503,
}
_SHED: Final = 429
_CALLERS: Final = 500
_RETRY_AFTER: Final = 1.0
_BUSY: Final = (ActorStopped, MailboxFull, MessageDropped, NoSuchActor, StashFull, SystemNotRunning)

Headers = list[tuple[bytes, bytes]]


def as_answer(error: Exception) -> InferenceError:
    """Give the error to answer with; what is none of ours is logged here, and not told."""
    if isinstance(error, ExceptionGroup):
        return as_answer(error.exceptions[0])
    if isinstance(error, InferenceError):
        return error
    if isinstance(error, _BUSY):
        said = ModelOverloaded("What would answer this isn't running now; try again later.")
        said.__cause__ = error
        return said
    log.error("request_failed", exc_info=error)
    return GenerationFailed("The service failed at this request; its log tells why.")


def status_of(error: InferenceError) -> int:
    """Give the HTTP status of an error."""
    if isinstance(error, Refused):
        return error.status
    if error.kind == "model_overloaded" and error.details.get("shed"):
        return _SHED
    return _STATUS.get(error.kind, 500)


def headers_of(error: InferenceError) -> Headers:
    """Give the headers that go with an error: when to try again, if at all."""
    headers: Headers = [*error.headers] if isinstance(error, Refused) else []
    if status_of(error) in (_SHED, 503):
        wait = error.details.get("retry_after", _RETRY_AFTER)
        is_known = isinstance(wait, int | float) and math.isfinite(wait) and wait >= 0
        seconds = max(1, math.ceil(wait)) if is_known else math.ceil(_RETRY_AFTER)
        headers.append((b"retry-after", b"%d" % seconds))
    # Heeded by the openai clients, which try again after any 5xx.
    headers.append((b"x-should-retry", b"true" if error.is_retryable else b"false"))
    return headers


def plain_body(error: InferenceError) -> bytes:
    """Give the body of the service's own endpoints."""
    return _encoded({**error.to_dict(), "correlation_id": _correlation_id(error)})


def openai_body(error: InferenceError) -> bytes:
    """Give the body in the shape of the OpenAI API; ``failsoft`` has what that has no place for."""
    return _encoded({"error": openai_error(error)})


def openai_error(error: InferenceError) -> dict[str, Any]:
    """Give what is under ``error`` in that body."""
    status = status_of(error)
    fields = error.details.get("field_errors")
    return {
        "message": error.message,
        "type": _openai_type(status),
        "param": next(iter(fields), None) if isinstance(fields, dict) else None,
        "code": error.kind,
        "failsoft": {
            "details": error.details,
            "is_retryable": error.is_retryable,
            "correlation_id": _correlation_id(error),
        },
    }


def _openai_type(status: int) -> str:
    match status:
        case 401:
            return "authentication_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status < _CALLERS else "server_error"


def _correlation_id(error: InferenceError) -> str | None:
    return error.correlation_id or current_correlation_id()


def _encoded(body: dict[str, Any]) -> bytes:
    # Details are plain data; what a model of a user's own put there must not fail the answer.
    return msgspec.json.encode(body, enc_hook=str)
