"""Requests know the type of their reply, for type checkers and at run time."""

from __future__ import annotations

import pytest

from failsoft.messages import GenerateText, Message, Request, TextChunk, TextReply


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
