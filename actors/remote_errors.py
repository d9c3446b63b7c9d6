"""What a remote server's refusals mean, as errors of ours: by status and code. Pure.

All of them are answers: the actor that passes them on has not failed. What a server says of its
own trouble is no caller's business: it is a note on the error, for the log. But another failsoft
service is taken at its word.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from failsoft.actors.remote_kinds import MAX_WAIT, error_as_told
from failsoft.actors.remote_spec import RemoteSpec
from failsoft.messages import (
    ContextLengthExceeded,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
    ModelOverloaded,
)

_MAX_WORDS = 300
_TOO_LONG_CODE = "context_length_exceeded"
_TOO_LONG_TEXTS = ("maximum context length", "context length exceeded")
_NO_MODEL_CODE = "model_not_found"


class Refusal(msgspec.Struct, frozen=True):
    """Hold what a server said with a status other than 200; ``headers`` in lower case."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


class _Said(msgspec.Struct, frozen=True):
    """Hold an error's body. details, fields, as_told: what a failsoft service adds to it."""

    message: str = ""
    code: str = ""
    param: str = ""
    details: Mapping[str, Any] = {}
    fields: Mapping[str, str] = {}
    as_told: InferenceError | None = None


def error_of(refusal: Refusal, spec: RemoteSpec, now: float) -> InferenceError:
    """Give the error for ``refusal``. ``now`` is in seconds since the epoch."""
    said = _said(refusal.body, spec)
    error = said.as_told or _by_status(refusal, said, now)
    error.details["status"] = refusal.status
    wait = _retry_after(refusal.headers, now)
    if wait is not None and isinstance(error, ModelOverloaded):
        error.details.setdefault("retry_after", wait)
    return _noted(error, said)


def error_in_stream(body: bytes, spec: RemoteSpec) -> InferenceError:
    """Give the error for one that a server sends instead of a further piece of its answer."""
    said = _said(body, spec)
    if said.as_told is None and _is_too_long(said):
        return _too_long(said).as_answer()
    error = said.as_told or failed("The remote server failed in the midst of its answer.")
    return _noted(error, said)


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


def _by_status(refusal: Refusal, said: _Said, now: float) -> InferenceError:
    match refusal.status:
        case 429 | 503:
            return _overloaded(refusal, now)
        case 401 | 403:
            return _final(refusal, "refuses the credentials: check the api_key")
        case 404:
            return _final(refusal, "has no such model or path: check model and base_url")
        case 400 | 413 | 422 if said.code == _NO_MODEL_CODE:
            return _final(refusal, "has no such model: check model")
        case 400 | 413 | 422 if _is_too_long(said):
            return _too_long(said)
        case 400 | 413 | 422:
            return _invalid(refusal, said)
        case 408 | 504:
            return InferenceTimeout(
                f"The remote server's time for the request was over ({refusal.status})."
            )
        case status if status >= 500:
            return GenerationFailed(f"The remote server failed ({status}).")
        case status:
            return _final(refusal, f"answered with status {status}: check the base_url")


def _noted(error: InferenceError, said: _Said) -> InferenceError:
    if said.message:
        error.add_note(said.message)
    return error.as_answer()


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


def _invalid(refusal: Refusal, said: _Said) -> InvalidInput:
    words = said.message or f"is refused by the remote server ({refusal.status})"
    return InvalidInput.in_fields(dict(said.fields) or {said.param or "request": words})


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
    message = _words(error.get("message") or error.get("detail") or "", spec)
    told = _dict(error.get("failsoft"))
    details = _dict(told.get("details"))
    fields = _dict(details.get("field_errors"))
    return _Said(
        message=message,
        code=known[0] if known else "",
        param=_words(error.get("param") or "", spec),
        details=details,
        fields={_words(path, spec): _words(words, spec) for path, words in fields.items()},
        as_told=error_as_told(error.get("code"), message, told),
    )


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


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
    return min(max(0.0, wait), MAX_WAIT)


def _server_time(headers: Mapping[str, str], now: float) -> float:
    """Give the server's own time where it tells it: clocks differ."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return now
