"""The bytes that a token stands for: a character may be several tokens, a token several bytes."""

from __future__ import annotations

import re
from typing import Any

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class TokenBytes:
    """Read the vocabulary of a transformers tokenizer, in whichever of two ways it is written.

    Byte-level vocabularies (GPT-2's way) have a letter for each byte. Those of SentencePiece have
    text, with a mark for a space, and ``<0x0A>`` for a byte that is no text.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._added = {token: str(of) for token, of in tokenizer.added_tokens_decoder.items()}
        decoder = getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None)
        self._is_byte_level = decoder is not None and b'"ByteLevel"' in decoder.__getstate__()

    def __call__(self, token: int) -> bytes:
        """Give the bytes of ``token``; none where the vocabulary has no such token."""
        if (added := self._added.get(token)) is not None:
            return added.encode()
        piece = self._tokenizer.convert_ids_to_tokens(token) or ""
        if self._is_byte_level:
            return bytes(_BYTE_OF_LETTER[letter] for letter in piece)
        if (byte := _BYTE.fullmatch(piece)) is not None:
            return bytes.fromhex(byte[1])
        return str(piece).replace("\N{LOWER ONE EIGHTH BLOCK}", " ").encode()


def _byte_of_letter() -> dict[str, int]:
    """Give GPT-2's alphabet of bytes: printable ones are themselves, the rest begin at U+0100."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(plain))
    return {chr(byte): byte for byte in plain} | {
        chr(0x100 + number): byte for number, byte in enumerate(others)
    }


_BYTE_OF_LETTER = _byte_of_letter()
