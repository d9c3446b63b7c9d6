"""Embeddings: the request for vectors of texts, and its reply."""

from __future__ import annotations

import msgspec

from failsoft.messages.errors import InvalidInput
from failsoft.messages.reply import Usage
from failsoft.messages.request import Request
from failsoft.messages.validation import MAX_TEXT_CHARACTERS, check_text, clean_text

MAX_TEXTS = 1024
MAX_CHARACTERS_IN_ALL = 1_000_000


class EmbeddingReply(msgspec.Struct, frozen=True, tag="embedding_reply"):
    """Answer an ``Embed``.

    vectors: one a text, in the order of the texts, each of length 1.
    dimensions: how many numbers a vector has.
    usage: the tokens read; an embedding completes none.
    The other fields are those of ``TextReply``.
    """

    vectors: tuple[tuple[float, ...], ...]
    dimensions: int
    usage: Usage
    model_used: str = ""
    was_fallback: bool = False
    attempts: int = 1
    degradation_level: str = "full"
    warning: str | None = None


class Embed(Request[EmbeddingReply], frozen=True, tag="embed"):
    """Ask an embedding model for the vectors of 1 to 1,024 texts.

    priority: of those that wait for a model, the higher goes first.
    tenant: whom it is for; while several wait, each gets a fair share.
    """

    texts: tuple[str, ...]
    priority: int = 0
    tenant: str = ""


def validate_embed(request: Embed, max_characters: int = MAX_TEXT_CHARACTERS) -> Embed:
    """Give the request with its texts cleaned. Raise InvalidInput with all its field errors.

    max_characters: of each text.
    """
    if not 1 <= len(request.texts) <= MAX_TEXTS:
        said = f"must hold from 1 to {MAX_TEXTS} texts; it holds {len(request.texts)}"
        raise InvalidInput.in_fields({"texts": said})
    texts = tuple(clean_text(text) for text in request.texts)
    errors: dict[str, str] = {}
    for number, text in enumerate(texts):
        check_text(text, f"texts[{number}]", max_characters, errors)
    in_all = sum(len(text) for text in texts)
    if in_all > MAX_CHARACTERS_IN_ALL:
        errors["texts"] = f"must have at most {MAX_CHARACTERS_IN_ALL} characters in all"
    if errors:
        raise InvalidInput.in_fields(errors)
    return request if texts == request.texts else msgspec.structs.replace(request, texts=texts)
