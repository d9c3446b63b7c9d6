"""Log probabilities of an answer's tokens, as in the OpenAI API."""

from __future__ import annotations

import msgspec


class TopLogprob(msgspec.Struct, frozen=True):
    """Tell how likely a token was, of those that were the most likely at its place.

    logprob: the natural logarithm of its probability.
    bytes: what it stands for; ``token`` is the same as text, with U+FFFD for what is a part of
        a character.
    """

    token: str
    logprob: float
    bytes: tuple[int, ...]


class TokenLogprob(msgspec.Struct, frozen=True):
    """Tell how likely a token of the answer was; fields are those of ``TopLogprob``.

    top_logprobs: the most likely tokens at its place, the most likely first.
    """

    token: str
    logprob: float
    bytes: tuple[int, ...]
    top_logprobs: tuple[TopLogprob, ...] = ()
