"""Validation of text requests: cleaned, bounded, and each mistake named by its field."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.messages import (
    ChatMessage,
    GenerateText,
    InvalidInput,
    JsonSchema,
    JsonSchemaFormat,
)
from failsoft.messages.validation import MAX_TEXT_CHARACTERS, clean_text, validate_text


def errors_of(request: GenerateText) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        validate_text(request)
    found: dict[str, str] = caught.value.details["field_errors"]
    return found


@given(st.text())
def test_cleaned_text_has_no_control_characters_but_three(text: str) -> None:
    """Newline, carriage return and tab stay; all else is as it was."""
    cleaned = clean_text(text)
    assert not any((ord(c) < 32 or ord(c) == 127) and c not in "\n\r\t" for c in cleaned)
    kept = [c for c in text if not ((ord(c) < 32 or ord(c) == 127) and c not in "\n\r\t")]
    assert cleaned == "".join(kept)


def test_a_good_request_comes_back_as_it_is() -> None:
    """Nothing is copied where nothing is changed."""
    request = GenerateText("hello\n\tworld")
    assert validate_text(request) is request


def test_the_text_of_a_chat_is_cleaned() -> None:
    """Each turn."""
    request = validate_text(GenerateText((ChatMessage("user", "a\x00b"),)))
    assert request.prompt == (ChatMessage("user", "ab"),)


@pytest.mark.parametrize(
    ("prompt", "path"),
    [
        ("", "prompt"),
        (" \n\t ", "prompt"),
        ("\x00\x01", "prompt"),
        ("x" * (MAX_TEXT_CHARACTERS + 1), "prompt"),
        ("lone \ud800 surrogate", "prompt"),
        ((), "prompt"),
        ((ChatMessage("user", "hi"), ChatMessage("user", "  ")), "prompt[1].content"),
        (tuple(ChatMessage("user", "x" * 6000) for _ in range(2)), "prompt"),
        (tuple(ChatMessage("user", "x") for _ in range(300)), "prompt"),
    ],
)
def test_a_bad_prompt_is_named_by_its_path(prompt: Any, path: str) -> None:
    """The words say what it must be."""
    found = errors_of(GenerateText(prompt))
    assert list(found) == [path]
    assert found[path].startswith("must")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 10**9),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", math.nan),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_p", math.nan),
        ("stop", ("a", "")),
        ("stop", ("a",) * 5),
        ("seed", 2**63),
        ("top_logprobs", 21),
        ("top_logprobs", -1),
        ("top_logprobs", 1),  # without logprobs
        ("batch_divisor", 0.5),
        ("batch_divisor", math.inf),
    ],
)
def test_a_bad_parameter_is_named(field: str, value: Any) -> None:
    """One error, for the one field."""
    options: dict[str, Any] = {field: value}
    assert list(errors_of(GenerateText("hi", **options))) == [field]


def test_log_probabilities_are_bounded_so_that_they_fit_on_the_wire() -> None:
    """By tokens and by how many are told for each, together."""
    few = GenerateText("hi", max_tokens=6241, logprobs=True, top_logprobs=20)
    assert validate_text(few) is few
    found = errors_of(msgspec.structs.replace(few, max_tokens=6242))
    assert found == {"max_tokens": "must be at most 6241 with 20 top_logprobs; it is 6242"}


@pytest.mark.parametrize(
    ("name", "schema", "path"),
    [
        ("", {}, "name"),
        ("a b", {}, "name"),
        ("x" * 65, {}, "name"),
        ("x", {"enum": ["y" * 33_000]}, "schema"),
        ("x", {"const": object()}, "schema"),
    ],
)
def test_a_bad_schema_is_named_by_its_path(name: str, schema: dict[str, Any], path: str) -> None:
    """Whatever only a model's grammar can tell is not told here."""
    form = JsonSchemaFormat(JsonSchema(name, schema))
    found = errors_of(GenerateText("hi", response_format=form))
    assert list(found) == [f"response_format.json_schema.{path}"]
    assert found[f"response_format.json_schema.{path}"].startswith("must")


def test_all_mistakes_are_told_at_once() -> None:
    """Nobody has to try again for each of them."""
    request = GenerateText("", max_tokens=0, temperature=9, top_p=0)
    assert set(errors_of(request)) == {"prompt", "max_tokens", "temperature", "top_p"}


def test_an_unknown_field_of_a_turn_is_refused() -> None:
    """A typing mistake isn't dropped in silence."""
    with pytest.raises(msgspec.ValidationError, match="rolle"):
        msgspec.json.decode(b'{"role": "user", "content": "x", "rolle": 1}', type=ChatMessage)
