"""SRV-03: what is wrong with a request is told by field, in words, and is nobody's fault."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from .served import ServedProcess

JSON = {"Content-Type": "application/json"}
TEXT = "/generate"
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module", autouse=True)
def no_fault_is_logged(service: ServedProcess) -> Any:
    """Look into the log after all tests of this module."""
    yield
    faults = [line for line in service.log.splitlines() if '"level": "error"' in line]
    assert faults == []
    assert "Traceback" not in service.log


def errors_of(answer: httpx2.Response) -> dict[str, str]:
    """Give the field errors, of either form."""
    told = answer.json()
    if isinstance(told["error"], dict):
        told = told["error"]["failsoft"]
    errors: dict[str, str] = told["details"]["field_errors"]
    return errors


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"prompt": "a", "max_tokens": NaN}',
        b'{"prompt": "\xff\xfe"}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "a"} {}',
    ],
)
@pytest.mark.parametrize("path", [TEXT, CHAT])
def test_no_json(client: httpx2.Client, path: str, body: bytes) -> None:
    """SRV-03 Also NaN, bytes that are no UTF-8, and lone surrogates."""
    answer = client.post(path, content=body, headers=JSON)
    assert answer.status_code == 422
    assert errors_of(answer)["body"].startswith("is not valid JSON")


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"prompt"'])
def test_no_object(client: httpx2.Client, body: bytes) -> None:
    """SRV-03 It is said what it must be, and what it is."""
    answer = client.post(TEXT, content=body, headers=JSON)
    assert answer.status_code == 422
    assert errors_of(answer)["body"].startswith("must be an object, not ")


def test_all_that_is_wrong_is_told_at_once(client: httpx2.Client) -> None:
    """SRV-03 Wrong types, missing and unknown fields."""
    body = {"max_tokens": "many", "temperature": 3, "stop": [1], "colour": "red", "seed": 1.5}
    answer = client.post(TEXT, json=body)
    assert answer.status_code == 422
    assert errors_of(answer) == {
        "prompt": "is required",
        "max_tokens": "must be a whole number, not a string",
        "temperature": "must be a number of at most 2.0",
        "stop[0]": "must be a string, not a whole number",
        "seed": "must be a whole number, not a number",
        "colour": "is no field that is known here; take it out",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", "1e400"),
        ("max_tokens", "9" * 5000),
        ("max_tokens", "-1"),
        ("seed", "9" * 30),
        ("temperature", "1e999"),
        ("temperature", "-0.1"),
        ("top_p", "0"),
        ("frequency_penalty", "2.5"),
        ("stop", '["a","b","c","d","e"]'),
        ("stop", '[""]'),
        ("top_logprobs", "3"),
        ("timeout", "0"),
    ],
)
def test_numbers_out_of_range(client: httpx2.Client, field: str, value: str) -> None:
    """SRV-03 However huge."""
    answer = client.post(TEXT, content=f'{{"prompt": "a", "{field}": {value}}}', headers=JSON)
    assert answer.status_code == 422
    (told,) = errors_of(answer).items()
    assert told[0].startswith((field, "body"))
    assert len(told[1]) < 300


@pytest.mark.parametrize("prompt", ["", "   ", "\x00\x01\x1b", "a" * 10_001])
@pytest.mark.parametrize("path", [TEXT, "/v1/completions"])
def test_prompts_without_text_or_with_too_much(
    client: httpx2.Client, path: str, prompt: str
) -> None:
    """SRV-03 What is left when control characters are gone counts."""
    answer = client.post(path, json={"prompt": prompt})
    assert answer.status_code == 422
    assert errors_of(answer).keys() == {"prompt"}


@pytest.mark.parametrize("field", ["prompt", "unknown", "response_format"])
@pytest.mark.parametrize("depth", [1000, 100_000])
def test_nested_deep(client: httpx2.Client, field: str, depth: int) -> None:
    """SRV-03 A thousand levels, or many more."""
    body = f'{{"prompt": "a", "{field}": {"[" * depth + "]" * depth}}}'
    answer = client.post(TEXT, content=body, headers=JSON)
    assert answer.status_code == 422
    assert errors_of(answer)


def test_a_schema_nested_deep(client: httpx2.Client) -> None:
    """SRV-03 Where any JSON is allowed, too."""
    deep = '{"a":' * 20_000 + "1" + "}" * 20_000
    schema = f'{{"type": "json_schema", "json_schema": {{"name": "a", "schema": {deep}}}}}'
    body = f'{{"prompt": "a", "response_format": {schema}}}'
    answer = client.post(TEXT, content=body, headers=JSON)
    assert answer.status_code == 422
    assert errors_of(answer)


def test_a_body_that_says_it_is_too_large_is_not_read(service: ServedProcess) -> None:
    """SRV-03 The answer comes before the body."""
    with service.connect() as connection:
        connection.sendall(
            b"POST /generate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: 20000000\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_turns_out_too_large(client: httpx2.Client) -> None:
    """SRV-03 20 MB whose length isn't told first are read to the bound, and no further."""

    def pieces() -> Any:
        for _ in range(20):
            yield b" " * 1_000_000

    answer = client.post(TEXT, content=pieces(), headers=JSON)
    assert answer.status_code == 413
    assert "at most 1000000 bytes" in answer.json()["error"]


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", None])
def test_what_is_not_said_to_be_json(client: httpx2.Client, kind: str | None) -> None:
    """A web page of somebody else's can send these without being asked, so they aren't read."""
    headers = {} if kind is None else {"Content-Type": kind}
    answer = client.post(TEXT, content=json.dumps({"prompt": "a"}), headers=headers)
    assert answer.status_code == 415


def test_the_last_turn_is_named_by_its_place(client: httpx2.Client) -> None:
    """SRV-03 Paths are those of the body that was sent."""
    turns = [{"role": "user", "content": "a"}, {"role": "user", "content": " "}]
    answer = client.post(CHAT, json={"messages": turns})
    assert errors_of(answer) == {"messages[1].content": "must not be empty"}
    assert answer.json()["error"]["param"] == "messages[1].content"
