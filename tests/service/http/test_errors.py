"""Errors as HTTP tells them."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from structlog.testing import capture_logs

from failsoft.actors import ActorStopped, MailboxFull
from failsoft.messages import (
    Cancelled,
    ContextLengthExceeded,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
    ModelLoadingFailed,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    WorkerLost,
)
from failsoft.service.http.error_body import (
    as_answer,
    headers_of,
    openai_body,
    plain_body,
    status_of,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("no"), 400),
        (ContextLengthExceeded("no"), 400),
        (OutOfMemory("no"), 507),
        (InferenceTimeout("no"), 504),
        (ModelOverloaded("no"), 503),
        (ModelOverloaded("no", details={"shed": True}), 429),
        (ModelLoadingFailed("no"), 500),
        (GenerationFailed("no"), 500),
        (WorkerLost("no"), 500),
        (PoisonedRequest("no"), 500),
        (Cancelled("no"), 500),
    ],
)
def test_each_kind_has_its_status(error: InferenceError, status: int) -> None:
    """As docs/service.md has it."""
    assert status_of(error) == status
    names = [name for name, _ in headers_of(error)]
    assert (b"retry-after" in names) == (status in (429, 503))


@pytest.mark.parametrize(
    ("told", "header"),
    [(0, b"1"), (0.2, b"1"), (2.1, b"3"), (math.inf, b"1"), ("soon", b"1"), (-5, b"1")],
)
def test_retry_after_is_in_whole_seconds(told: Any, header: bytes) -> None:
    """Rounded up, and never 0; what is no number of seconds is 1."""
    error = ModelOverloaded("no", details={"retry_after": told})
    assert dict(headers_of(error))[b"retry-after"] == header


@pytest.mark.parametrize("error", [ActorStopped("root/text", "x"), MailboxFull("root/text", 5)])
def test_what_the_runtime_says_is_an_overload(error: Exception) -> None:
    """And the way it is built stays inside."""
    answer = as_answer(error)
    assert (answer.kind, answer.is_retryable, answer.__cause__) == ("model_overloaded", True, error)
    assert b"root/text" not in plain_body(answer)


def test_what_nobody_expected_is_logged_and_not_told() -> None:
    """Paths and tracebacks never reach a client."""
    with capture_logs() as logs:
        answer = as_answer(OSError("/secret/path"))
    assert status_of(answer) == 500
    assert b"secret" not in plain_body(answer) + openai_body(answer)
    assert [line["log_level"] for line in logs] == ["error"]


def test_one_of_several_choices_that_failed() -> None:
    """The first error is the answer's."""
    group = ExceptionGroup("both", [OutOfMemory("no"), GenerationFailed("no")])
    assert as_answer(group).kind == "out_of_memory"


def test_details_that_are_no_json() -> None:
    """They are told as text: an error about an error would tell nothing."""
    error = GenerationFailed("no", details={"what": {1, 2}, "who": OSError("x")})
    assert json.loads(plain_body(error))["details"]["who"] == "x"
