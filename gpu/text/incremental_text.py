"""Turn tokens to text one by one, never giving out a part of a character."""

from __future__ import annotations

from typing import Protocol

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"

# A character is at most four bytes, so at most four tokens: a longer wait means that the bytes
# are no text at all, and waiting on would hold back everything that follows.
_MOST_HELD_TOKENS = 8


class Decoder(Protocol):
    """Be what a transformers tokenizer is here."""

    def decode(
        self,
        token_ids: list[int],
        *,
        skip_special_tokens: bool,
        clean_up_tokenization_spaces: bool,
    ) -> str: ...


class IncrementalText:
    """Decode a growing sequence of tokens.

    Each piece is the difference of two decodings of a short window that begins with tokens
    already given out, since what a token reads as may depend on the one before it (the leading
    space of SentencePiece). ``tokenizers``' DecodeStream does the same for fast tokenizers, but
    can't be flushed and waits without bound where bytes never become text.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._given: list[int] = []
        self._given_text = ""
        self._held: list[int] = []

    def feed(self, token: int) -> str:
        """Give the text that ``token`` completes; empty while a character is unfinished."""
        self._held.append(token)
        text = self._decode(self._given + self._held)
        waits = text.endswith(_UNFINISHED) or len(text) <= len(self._given_text)
        return "" if waits and len(self._held) < _MOST_HELD_TOKENS else self._give(text)

    def flush(self) -> str:
        """Give what is still held, without the character that was left unfinished."""
        text = self._decode(self._given + self._held).rstrip(_UNFINISHED)
        return self._give(text)

    def _give(self, text: str) -> str:
        piece = text[len(self._given_text) :]
        self._given, self._held = self._held, []
        self._given_text = self._decode(self._given)
        return piece

    def _decode(self, tokens: list[int]) -> str:
        return self._decoder.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
