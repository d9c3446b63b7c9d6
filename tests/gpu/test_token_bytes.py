"""The bytes of tokens, in both of the ways in which vocabularies are written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.gpu.text.token_bytes import TokenBytes


@pytest.fixture(scope="module")
def tokenizer(smollm2: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smollm2)


def test_a_byte_level_vocabulary_joins_to_the_text(tokenizer: Any) -> None:
    """Whatever the text: each token has its own bytes, parts of characters too."""
    bytes_of = TokenBytes(tokenizer)

    @given(st.text(st.characters(codec="utf-8"), max_size=40))
    def joins(text: str) -> None:
        tokens = tokenizer(text, split_special_tokens=True)["input_ids"]
        said = b"".join(bytes_of(token) for token in tokens)
        # Not the text: there are bytes that this vocabulary has no token for.
        assert said.decode(errors="replace") == tokenizer.decode(tokens)

    joins()
    thumb = tokenizer("\N{THUMBS UP SIGN}")["input_ids"]
    assert len(thumb) > 1
    assert b"".join(map(bytes_of, thumb)) == "\N{THUMBS UP SIGN}".encode()
    control = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert bytes_of(control) == b"<|im_end|>"
    assert bytes_of(len(tokenizer) + 5) == b""


def test_a_vocabulary_of_sentencepiece_has_spaces_and_bytes_of_its_own() -> None:
    """A mark stands for a space, and a byte that is no text is written in hex."""
    pieces = ["\u2581Hi", "<0xE2>", "\u2581", "<0xe2>", "<s>"]
    tokenizer = SimpleNamespace(
        added_tokens_decoder={4: "<s>"}, convert_ids_to_tokens=pieces.__getitem__
    )
    bytes_of = TokenBytes(tokenizer)
    assert [bytes_of(token) for token in range(5)] == [b" Hi", b"\xe2", b" ", b"<0xe2>", b"<s>"]
