"""Requests for embeddings: cleaned, bounded, and each mistake named by its field."""

from __future__ import annotations

import msgspec
import pytest

from failsoft.messages.embedding import Embed, EmbeddingReply, validate_embed
from failsoft.messages.errors import InvalidInput


def errors_of(*texts: str) -> set[str]:
    with pytest.raises(InvalidInput) as caught:
        validate_embed(Embed(texts))
    return set(caught.value.details["field_errors"])


def test_a_good_request_comes_back_as_it_is() -> None:
    """Nothing is copied where nothing is changed."""
    request = Embed(("a", "b") * 512)
    assert validate_embed(request) is request


def test_each_text_is_cleaned() -> None:
    """Of control characters."""
    assert validate_embed(Embed(("a\0b", "c\n"), tenant="x")) == Embed(("ab", "c\n"), tenant="x")


def test_each_mistake_is_named_by_its_place() -> None:
    """Empty, too long, no Unicode."""
    assert errors_of("fine", " ", "x" * 10_001, "\udc00") == {"texts[1]", "texts[2]", "texts[3]"}


@pytest.mark.parametrize("texts", [(), ("a",) * 1025, ("x" * 10_000,) * 101])
def test_there_is_a_bound_for_all_texts_together(texts: tuple[str, ...]) -> None:
    """On their number, and on their characters."""
    assert errors_of(*texts) == {"texts"}


def test_it_is_typed_by_its_reply() -> None:
    """And comes through the wire as it was."""
    assert Embed.reply_type is EmbeddingReply
    request = Embed(("a",), priority=2)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=Embed) == request
