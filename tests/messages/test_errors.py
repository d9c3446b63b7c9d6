"""The error taxonomy: fixed names, fixed keys, the same error after a trip over the wire."""

from __future__ import annotations

import json

import msgspec
import pytest

import failsoft.messages as messages
from failsoft.messages import (
    ContextLengthExceeded,
    ErrorInfo,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    InvalidInput,
    OutOfMemory,
    WorkerLost,
    error_from,
)

RETRYABLE = {
    "model_loading_failed": True,
    "inference_timeout": True,
    "out_of_memory": False,
    "invalid_input": False,
    "model_overloaded": True,
    "generation_failed": True,
    "context_length_exceeded": False,
    "worker_lost": True,
    "cancelled": False,
    "poisoned_request": False,
}


def error_classes() -> list[type[InferenceError]]:
    found = [getattr(messages, name) for name in messages.__all__]
    return [
        kind
        for kind in found
        if isinstance(kind, type)
        and issubclass(kind, InferenceError)
        and kind is not InferenceError
    ]


def test_the_kinds_are_those_agreed_and_so_is_what_may_be_retried() -> None:
    """Ten names, fixed for good."""
    assert {error.kind: error("x").is_retryable for error in error_classes()} == RETRYABLE


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.kind)
def test_an_error_is_the_same_after_the_wire(kind: type[InferenceError]) -> None:
    """Class, message, details, time and correlation id survive; so does a changed is_retryable."""
    error = kind("what happened", details={"n": 1}, correlation_id="abc", timestamp=5.0)
    error.is_retryable = not error.is_retryable
    sent = msgspec.msgpack.encode(error.info)
    back = error_from(msgspec.msgpack.decode(sent, type=ErrorInfo))
    assert type(back) is kind
    assert back.info == error.info


def test_a_kind_from_a_newer_worker_is_a_failed_generation() -> None:
    """Nothing is lost of it."""
    back = error_from(ErrorInfo("melted", "it melted", {"t": 900}, True, 1.0, None))
    assert type(back) is GenerationFailed
    assert (back.message, back.details) == ("it melted", {"t": 900})


def test_over_http_an_error_has_the_agreed_keys() -> None:
    """The dict can be written as JSON, with the time in ISO 8601."""
    told = json.loads(json.dumps(WorkerLost("gone", timestamp=0.0, correlation_id="c").to_dict()))
    assert told == {
        "error": "gone",
        "error_type": "worker_lost",
        "details": {},
        "is_retryable": True,
        "timestamp": "1970-01-01T00:00:00+00:00",
        "correlation_id": "c",
    }


def test_details_are_those_agreed() -> None:
    """Each kind that owes details has them by name."""
    assert OutOfMemory.on_device(100.04, 20).details == {
        "memory_used_mb": 100.0,
        "memory_available_mb": 20,
    }
    assert ContextLengthExceeded.of(12, 10).details == {
        "input_length": 12,
        "max_length": 10,
        "suggestion": "Shorten the prompt by at least 2 tokens.",
    }
    assert InferenceTimeout.after(1.5, tokens=3).details == {"timeout_seconds": 1.5, "tokens": 3}
    invalid = InvalidInput.in_fields({"prompt": "must not be empty"})
    assert invalid.details == {"field_errors": {"prompt": "must not be empty"}}
    assert "prompt: must not be empty" in str(invalid)


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.kind)
def test_a_callers_fault_is_always_an_answer(kind: type[InferenceError]) -> None:
    """No caller can make an actor fail by being wrong."""
    assert kind.is_refusal or not kind.is_callers_fault


def test_an_error_that_is_passed_on_is_an_answer_from_there() -> None:
    """The mark is on the one error alone."""
    assert WorkerLost("gone").as_answer().is_refusal
    assert not WorkerLost("gone").is_refusal
