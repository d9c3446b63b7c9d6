"""What a remote server's refusals mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from failsoft.actors.remote_errors import Refusal, error_of, notes_of
from failsoft.actors.remote_spec import RemoteSpec
from failsoft.messages import (
    ContextLengthExceeded,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
)

SPEC = RemoteSpec(base_url="http://h/v1", model="m", api_key="sk-1", headers={"x-id": "tenant-7"})
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def said(content: Any, status: int = 400) -> Refusal:
    return Refusal(status, {}, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30),
        (
            {
                "retry-after": "Tue, 14 Nov 2023 22:13:50 GMT",
                "date": "Tue, 14 Nov 2023 22:13:45 GMT",
            },
            5,
        ),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0),
        ({"retry-after": "99999999"}, 3600),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(headers: dict[str, str], wait: float | None) -> None:
    """By the server's clock, where it tells it; never over an hour; nonsense is as nothing."""
    error = error_of(Refusal(429, headers), SPEC, NOW)
    assert error.details.get("retry_after") == wait
    assert error.is_refusal


@pytest.mark.parametrize(
    "content",
    [
        {"error": {"message": "Too long.", "code": "context_length_exceeded"}},
        {"error": {"message": "Too long.", "type": "context_length_exceeded", "code": 400}},
        {"error": "Too long.", "error_type": "context_length_exceeded"},
        {"object": "error", "message": "This model's maximum context length is 9.", "code": 400},
    ],
)
def test_too_long_a_prompt_is_known_by_its_code_or_else_its_words(content: Any) -> None:
    """In each of the shapes that servers give it."""
    error = error_of(said(content), SPEC, NOW)
    assert type(error) is ContextLengthExceeded
    assert error.details["suggestion"] == "Shorten the prompt."


@pytest.mark.parametrize(
    "told",
    [
        7,
        {"details": 7},
        {"details": {"field_errors": 7, "input_length": "long"}},
        {"details": {"input_length": 7}},
    ],
)
@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "context_length_exceeded", ContextLengthExceeded),
        (400, "invalid_input", InvalidInput),
        (500, "melted", GenerationFailed),
        (500, ["worker_lost"], GenerationFailed),
    ],
)
def test_what_only_looks_like_another_service_of_ours_is_read_as_any(
    status: int, code: Any, kind: type[InferenceError], told: Any
) -> None:
    """What it adds is of no use; its status and its words are."""
    content = {"error": {"message": "No.", "code": code, "failsoft": told}}
    error = error_of(said(content, status), SPEC, NOW)
    assert type(error) is kind
    assert notes_of(error) == "No."


@pytest.mark.parametrize("status", [408, 504])
def test_a_server_that_ran_out_of_time_is_a_timeout(status: int) -> None:
    """WK-19 Of whichever server: a circuit judges it by the time that it had."""
    error = error_of(said({"error": {"message": "Timed out."}}, status), SPEC, NOW)
    assert type(error) is InferenceTimeout
    assert error.details == {"status": status}


def test_an_unknown_model_is_not_the_callers_fault() -> None:
    """The tree's configuration is wrong."""
    error = error_of(said({"error": {"message": "x", "code": "model_not_found"}}), SPEC, NOW)
    assert type(error) is GenerationFailed
    assert not error.is_retryable


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"7", b'{"error": 7}', b'{"error": {"message": 7}}', b"[" * 9_000]
)
def test_a_body_in_no_known_shape_tells_the_status_alone(body: bytes) -> None:
    """Nothing of it comes through."""
    error = error_of(Refusal(400, {}, body), SPEC, NOW)
    assert type(error) is InvalidInput
    assert error.details["field_errors"] == {"request": "is refused by the remote server (400)"}


def test_words_are_cut_and_cleared_of_secrets_and_line_ends() -> None:
    """The key, and the headers' values."""
    words = "key sk-1,\n\ttenant-7 " + "x" * 1000
    error = error_of(said({"error": {"message": words}}, 422), SPEC, NOW)
    (told,) = error.details["field_errors"].values()
    assert told.startswith("key ***, *** xxx")
    assert len(told) == 301


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"base_url": "ftp://h/v1"}, "base_url"),
        ({"base_url": "http:///v1"}, "base_url"),
        ({"base_url": "http://me:secret@h/v1"}, "no password"),
        ({"base_url": "http://h/v1?key=1"}, "no query"),
        ({"model": ""}, "model"),
        ({"api_key": "a\nb"}, "Authorization"),
        ({"headers": {"x": "é"}}, "'x'"),
        ({"max_concurrent": 0}, "max_concurrent"),
        ({"queue_limit": 0}, "queue_limit"),
        ({"silence_limit": 0}, "silence_limit"),
        ({"check_every": float("nan")}, "check_every"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(fields: dict[str, Any], words: str) -> None:
    """The field is named, a secret isn't."""
    with pytest.raises(ValueError, match=words) as caught:
        RemoteSpec(**{"base_url": "http://h/v1", "model": "m", **fields})
    assert "secret" not in str(caught.value)
