"""The beginning of an answer that has been given already, for whoever is to go on with it."""

from __future__ import annotations

import msgspec


class Answered(msgspec.Struct, frozen=True):
    """Hold what a reader has of an answer whose worker was lost on the way.

    token_ids: its tokens, for the same model; empty where another one is to go on, whose tokens
        are others: it reads the text.
    text: its text.
    """

    token_ids: tuple[int, ...]
    text: str
