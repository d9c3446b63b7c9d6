"""What a remote server's refusals mean, as errors of ours: by status and code. Pure.

All of them are answers: the actor that passes them on has not failed. What a server says of its
own trouble is no caller's business: it is a note on the error, for the log.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from failsoft.actors.remote_spec import RemoteSpec
from failsoft.messages import (
    ContextLengthExceeded,
    GenerationFailed,
    InferenceError,
    InvalidInput,
    ModelOverloaded,
)

_MAX_WORDS = 300
_MAX_WAIT = 3600.0
_TOO_LONG_CODE = "context_length_exceeded"
_TOO_LONG_TEXTS = ("maximum context length", "context length exceeded")
_NO_MODEL_CODE = "model_not_found"


class Refusal(msgspec.Struct, frozen=True):
    """Hold what a server said with a status other than 200; ``headers`` in lower case."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class _Said(msgspec.Struct, frozen=True):
    message: str = ""
    code: str = ""
    param: str = ""
    details: Mapping[str, Any] = {}


def error_of(refusal: Refusal, spec: RemoteSpec, now: float) -> InferenceError:
    """Give the error for ``refusal``. ``now`` is in seconds since the epoch."""
    said = _said(refusal.body, spec)
    match refusal.status:
        case 429 | 503:
            error: InferenceError = _overloaded(refusal, now)
        case 401 | 403:
            error = _final(refusal, "refuses the credentials: check the api_key")
        case 404:
            error = _final(refusal, "has no such model or path: check model and base_url")
        case 400 | 413 | 422 if said.code == _NO_MODEL_CODE:
            error = _final(refusal, "has no such model: check model")
        case 400 | 413 | 422 if _is_too_long(said):
            error = _too_long(said)
        case 400 | 413 | 422:
            words = said.message or f"is refused by the remote server ({refusal.status})"
            error = InvalidInput.in_fields({said.param or "request": words})
        case 408:
            error = GenerationFailed("The remote server waited too long for the request.")
        case status if status >= 500:
            error = GenerationFailed(f"The remote server failed ({status}).")
        case status:
            error = _final(refusal, f"answered with status {status}: check the base_url")
    error.details.setdefault("status", refusal.status)
    if said.message:
        error.add_note(said.message)
    return error.as_answer()


def error_in_stream(body: bytes, spec: RemoteSpec) -> InferenceError:
    """Give the error for one that a server sends instead of a further piece of its answer."""
    said = _said(body, spec)
    if _is_too_long(said):
        return _too_long(said).as_answer()
    error = failed("The remote server failed in the midst of its answer.")
    if said.message:
        error.add_note(said.message)
    return error


def failed(words: str, **details: Any) -> GenerationFailed:
    """Give the error for a server that fails, or that answers what is no answer."""
    return GenerationFailed(words, details=details).as_answer()


def unreachable(spec: RemoteSpec, reason: str) -> ModelOverloaded:
    """Give the error for a server that isn't there: nothing was begun, so others may try.

    It is no WorkerLost: that could count against the request, which never got there.
    """
    return ModelOverloaded(
        "The remote server can't be reached; try again later, or check that it runs.",
        details={"reason": reason, "retry_after": spec.check_every},
    ).as_answer()


def notes_of(error: InferenceError) -> str | None:
    """Give what the server said, secrets left out; None where it said nothing."""
    return "; ".join(getattr(error, "__notes__", ())) or None


def is_about_server(error: InferenceError) -> bool:
    """Tell whether the error is one that every request would get now."""
    return error.details.get("status") in (401, 403) or "reason" in error.details


def _overloaded(refusal: Refusal, now: float) -> ModelOverloaded:
    wait = _retry_after(refusal.headers, now)
    if wait is None:
        return ModelOverloaded("The remote server is overloaded; try again later.")
    return ModelOverloaded(
        f"The remote server is overloaded; try again in {wait:g} s.", details={"retry_after": wait}
    )


def _final(refusal: Refusal, words: str) -> GenerationFailed:
    error = GenerationFailed(f"The remote server {words} ({refusal.status}).")
    error.is_retryable = False
    return error


def _is_too_long(said: _Said) -> bool:
    return said.code == _TOO_LONG_CODE or any(
        text in said.message.lower() for text in _TOO_LONG_TEXTS
    )


def _too_long(said: _Said) -> ContextLengthExceeded:
    """Give both lengths where the server tells them as numbers."""
    lengths = [said.details.get(name) for name in ("input_length", "max_length")]
    match lengths:
        case [int(input_length), int(max_length)]:
            return ContextLengthExceeded.of(input_length, max_length)
        case _:
            return ContextLengthExceeded(
                "The prompt is too long for the remote model.",
                details={"suggestion": "Shorten the prompt.", "said": said.message},
            )


def _said(body: bytes, spec: RemoteSpec) -> _Said:
    """Read an error's body: OpenAI's shape, or the ones that are near it."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return _Said()
    if not isinstance(content, dict):
        return _Said()
    error = content.get("error", content)
    if isinstance(error, str):
        error = {**content, "message": error}
    if not isinstance(error, dict):
        return _Said()
    codes = [error.get(name) for name in ("code", "type", "error_type")]
    known = [code for code in codes if code in (_TOO_LONG_CODE, _NO_MODEL_CODE)]
    message = error.get("message") or error.get("detail") or ""
    return _Said(
        message=_words(message, spec),
        code=known[0] if known else "",
        param=_words(error.get("param") or "", spec),
        details=details if isinstance(details := error.get("details"), dict) else {},
    )


def _words(said: object, spec: RemoteSpec) -> str:
    """Give what the server said as one short line without secrets."""
    text = said if isinstance(said, str) else ""
    line = " ".join(spec.without_secrets(text).split())
    return line if len(line) <= _MAX_WORDS else line[:_MAX_WORDS] + "…"


def _retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Give the seconds to wait: of a number of them or of a date. None where nothing is said."""
    wait: float | None = None
    said = headers.get("retry-after", "")
    with contextlib.suppress(ValueError, TypeError):
        if "retry-after-ms" in headers:
            wait = float(headers["retry-after-ms"]) / 1000
        elif said.replace(".", "", 1).isdecimal():
            wait = float(said)
        elif said:
            wait = parsedate_to_datetime(said).timestamp() - _server_time(headers, now)
    if wait is None or wait != wait:
        return None
    return min(max(0.0, wait), _MAX_WAIT)


def _server_time(headers: Mapping[str, str], now: float) -> float:
    """Give the server's own time where it tells it: clocks differ."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return now
