"""Tokens turned to text one by one, with the real tokenizer and with broken bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from failsoft.gpu.text.incremental_text import IncrementalText


@pytest.fixture(scope="module")
def tokenizer(smollm2: Path) -> Any:
    return AutoTokenizer.from_pretrained(smollm2, local_files_only=True)


class Bytes:
    """Decode tokens that are single bytes: every character of several bytes is split."""

    def decode(self, token_ids: list[int], **_: bool) -> str:
        return bytes(token_ids).decode(errors="replace")


def pieces_of(decoder: Any, tokens: list[int]) -> list[str]:
    """Give the piece of each token, and last what the flush gives."""
    text = IncrementalText(decoder)
    return [*(text.feed(token) for token in tokens), text.flush()]


@pytest.mark.parametrize(
    "text",
    [
        "plain words,  two spaces\n\n\ttab ",
        "naïve 😀😃 日本語は 👩‍👩‍👧 é",
        " leading space",
        "🌟🌟",
    ],
)
def test_pieces_joined_are_the_text(tokenizer: Any, text: str) -> None:
    """WK-14 Whatever the characters, nothing is lost, changed or split."""
    pieces = pieces_of(tokenizer, tokenizer.encode(text, add_special_tokens=False))
    assert "".join(pieces) == text
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in pieces)


@given(st.text(st.characters(exclude_characters="\N{REPLACEMENT CHARACTER}", codec="utf-8")))
def test_no_character_is_split_when_each_byte_is_a_token(text: str) -> None:
    """WK-14 A piece comes exactly with the last byte of its character."""
    tokens = list(text.encode())
    pieces = pieces_of(Bytes(), tokens)
    assert [piece for piece in pieces if piece] == list(text)
    assert pieces[-1] == ""


def test_an_unfinished_character_at_the_end_is_left_out() -> None:
    """WK-14 An answer cut within a character ends before it."""
    assert pieces_of(Bytes(), list("a😀".encode())[:-1]) == ["a", "", "", "", ""]


def test_bytes_that_never_become_text_do_not_hold_back_what_follows() -> None:
    """After a bounded wait the text goes on."""
    pieces = pieces_of(Bytes(), [0xFF] * 20 + list(b"abc"))
    assert "".join(pieces[:8]) == "\N{REPLACEMENT CHARACTER}" * 8
    assert "".join(pieces).endswith("abc")


def test_control_tokens_do_not_show(tokenizer: Any) -> None:
    """A control token in the middle leaves no trace in the text."""
    control = tokenizer.convert_tokens_to_ids("<|im_start|>")
    a, b = tokenizer.encode("a"), tokenizer.encode(" b")
    assert "".join(pieces_of(tokenizer, [*a, control, *b])) == "a b"
