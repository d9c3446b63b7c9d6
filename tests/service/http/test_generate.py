"""The service's own endpoints: texts, images, their errors."""

from __future__ import annotations

import httpx2
import pytest

from .program import PNG


@pytest.mark.parametrize("path", ["/generate", "/generate_resilient", "/adaptive_generate"])
def test_a_text_and_how_it_came_about(client: httpx2.Client, path: str) -> None:
    """Each of the three tells which model answered, and what the load allowed."""
    answer = client.post(path, json={"prompt": "hello there"})
    assert answer.status_code == 200
    assert answer.json() == {
        "text": "hello there",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 2, "completion_tokens": 2, "cached_tokens": 0},
        "model_used": "primary",
        "was_fallback": False,
        "attempts": 1,
        "degradation_level": "full",
        "warning": None,
        "logprobs": None,
    }


def test_control_characters_are_taken_out(client: httpx2.Client) -> None:
    """But not newline and tab."""
    answer = client.post("/generate", json={"prompt": "a\x00b\x1b\n\tc"})
    assert answer.json()["text"] == "ab\n\tc"


def test_an_image(client: httpx2.Client) -> None:
    """As a PNG in base64."""
    answer = client.post("/generate_image", json={"prompt": "a cat", "width": 64, "height": 128})
    told = answer.json()
    assert (told["image_base64"], told["width"], told["height"]) == (PNG, 64, 128)
    assert told["model_used"] == "painting"


@pytest.mark.parametrize(
    ("prompt", "status", "kind"),
    [
        ("memory", 507, "out_of_memory"),
        ("too long", 400, "context_length_exceeded"),
        ("invalid", 400, "invalid_input"),
        ("overload", 503, "model_overloaded"),
        ("half", 500, "generation_failed"),
    ],
)
def test_errors_have_their_status_and_their_form(
    client: httpx2.Client, prompt: str, status: int, kind: str
) -> None:
    """Whatever a model says, the body tells it in the same six fields."""
    answer = client.post("/generate", json={"prompt": prompt})
    told = answer.json()
    assert (answer.status_code, told["error_type"]) == (status, kind)
    assert told.keys() == {
        *("error", "error_type", "details", "is_retryable", "timestamp", "correlation_id")
    }
    assert told["correlation_id"] == answer.headers["x-correlation-id"]
    assert ("retry-after" in answer.headers) == (status == 503)


def test_the_deadline_by_header_or_body(client: httpx2.Client) -> None:
    """The header goes before the body, and both end what takes too long."""
    for body, headers in (({"timeout": 0.2}, {}), ({"timeout": 50}, {"X-Request-Timeout": "0.2"})):
        answer = client.post("/generate", json={"prompt": "endless", **body}, headers=headers)
        assert (answer.status_code, answer.json()["error_type"]) == (504, "inference_timeout")


@pytest.mark.parametrize("timeout", ["soon", "nan", "-1", "0", "inf"])
def test_a_timeout_that_is_none(client: httpx2.Client, timeout: str) -> None:
    """Is refused by its name."""
    answer = client.post(
        "/generate", json={"prompt": "hello"}, headers={"X-Request-Timeout": timeout}
    )
    assert answer.status_code == 422
    assert answer.json()["details"]["field_errors"].keys() == {"X-Request-Timeout"}


def test_a_model_by_its_name(client: httpx2.Client) -> None:
    """One that isn't there, or does something else, is told with those that are."""
    assert client.post("/generate", json={"prompt": "a", "model": "crowd"}).status_code == 200
    for name in ("nobody", "images"):
        answer = client.post("/generate", json={"prompt": "a", "model": name})
        assert (answer.status_code, answer.json()["error_type"]) == (404, "model_not_found")
        assert "text, single, crowd, embeddings, images" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/nowhere", "/generate/", "/v1/nowhere", "/tree/root"])
def test_what_is_not_there_is_a_404_in_json(client: httpx2.Client, path: str) -> None:
    """In the form of the endpoints around it."""
    answer = client.get(path)
    assert answer.status_code == 404
    told = answer.json()["error"]["code"] if "/v1" in path else answer.json()["error_type"]
    assert told == "not_found"


@pytest.mark.parametrize("path", ["/generate", "/v1/chat/completions", "/generate_image"])
def test_what_is_not_done_so_is_a_405_in_json(client: httpx2.Client, path: str) -> None:
    """And the header says what is."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()
