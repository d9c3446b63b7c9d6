"""Errors: each kind has a status, a body in both shapes, and its way over a worker's wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from failsoft.messages import InferenceError, error_from
from failsoft.service.doctor.finding import Finding, fail, ok
from failsoft.service.http.error_body import openai_body, plain_body, status_of

_KEYS: Final = ("error", "error_type", "details", "is_retryable", "timestamp")


def known_errors() -> tuple[type[InferenceError], ...]:
    """Give the error types of failsoft's own."""
    return tuple(
        each
        for each in InferenceError.__subclasses__()
        if each.__module__ == InferenceError.__module__
    )


def errors_mapped(errors: Iterable[type[InferenceError]]) -> Finding:
    """Check that callers can tell each error by its kind, over HTTP and from a worker."""
    errors = tuple(errors)
    troubles = [trouble for each in errors if (trouble := _trouble(each))]
    kinds = [each.kind for each in errors]
    troubles += [f"{kind} is two errors" for kind in set(kinds) if kinds.count(kind) > 1]
    if troubles:
        remedy = "Give each a kind of its own, and register it where its class is."
        return fail("errors", "; ".join(troubles), remedy)
    return ok("errors", f"{len(errors)} kinds, each with a status and both bodies")


def _trouble(kind: type[InferenceError]) -> str:
    error = kind("What went wrong.", details={"why": "a check"})
    if not 400 <= (status := status_of(error)) <= 599:
        return f"{kind.kind} has the status {status}"
    plain = msgspec.json.decode(plain_body(error))
    if any(key not in plain for key in _KEYS) or plain["error_type"] != kind.kind:
        return f"{kind.kind} lacks a key in its body"
    if msgspec.json.decode(openai_body(error))["error"]["code"] != kind.kind:
        return f"{kind.kind} isn't told to clients of OpenAI's API"
    if type(error_from(error.info)) is not kind:
        return f"{kind.kind} is another error once it has come from a worker"
    return ""
