"""Requests know the type of their reply, for type checkers and at run time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from failsoft.messages import (
    GenerateText,
    JsonObjectFormat,
    JsonSchema,
    JsonSchemaFormat,
    Message,
    Request,
    ResponseFormat,
    TextChunk,
    TextFormat,
    TextReply,
    TokenLogprob,
    TopLogprob,
)


class Add(Request[int], frozen=True):
    n: int


class AddTwice(Add, frozen=True):
    pass


def test_a_request_names_its_reply() -> None:
    """Subclasses inherit it."""
    assert Add.reply_type is int
    assert AddTwice.reply_type is int
    assert GenerateText.reply_type is TextReply
    assert GenerateText.chunk_type is TextChunk


def test_messages_are_frozen() -> None:
    """What was sent can't change on the way."""
    message: Message = Add(1)
    with pytest.raises(AttributeError):
        message.n = 2  # type: ignore[attr-defined]


def test_chunks_join_without_loss() -> None:
    """A slow reader gets fewer, longer chunks; the last one's end stays the end."""
    joined = TextChunk("a", tokens=1).merge(TextChunk("b", tokens=2, finish_reason="stop"))
    assert (joined.text, joined.tokens, joined.finish_reason) == ("ab", 3, "stop")


def test_joined_chunks_have_the_log_probabilities_of_both() -> None:
    """Those that have none, since none were asked for, stay without."""
    a, b = TokenLogprob("a", -0.1, (97,)), TokenLogprob("b", -0.2, (98,))
    joined = TextChunk("a", logprobs=(a,)).merge(TextChunk("b", logprobs=(b,)))
    assert joined.logprobs == (a, b)
    assert TextChunk("a").merge(TextChunk("b")).logprobs is None


def test_log_probabilities_have_openais_form() -> None:
    """The bytes are numbers, as JSON has no others."""
    entry = TokenLogprob("hi", -0.5, (104, 105), (TopLogprob("hi", -0.5, (104, 105)),))
    same = {"token": "hi", "logprob": -0.5, "bytes": [104, 105]}
    assert msgspec.json.decode(msgspec.json.encode(entry)) == {**same, "top_logprobs": [same]}


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ({"type": "text"}, TextFormat()),
        ({"type": "json_object"}, JsonObjectFormat()),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": True}},
            JsonSchemaFormat(JsonSchema("x", {}, strict=True)),
        ),
    ],
)
def test_response_formats_have_openais_form(body: dict[str, Any], form: ResponseFormat) -> None:
    """They are told apart by their type, and come through the wire as they were."""
    assert msgspec.convert(body, ResponseFormat) == form
    request = GenerateText("hi", response_format=form)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=GenerateText) == request


@pytest.mark.parametrize(
    "body",
    [
        {"type": "xml"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "x"}},
        {"type": "json_object", "strict": True},
    ],
)
def test_an_unknown_or_unfinished_format_is_refused(body: dict[str, Any]) -> None:
    """Nothing is dropped in silence."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, ResponseFormat)
