"""Log probabilities in the bodies of the OpenAI API. Pure."""

from __future__ import annotations

import msgspec

from failsoft.messages import TokenLogprob, TopLogprob


class _Top(msgspec.Struct, frozen=True):
    """Be a token; servers may leave its bytes out."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None

    @property
    def all_bytes(self) -> tuple[int, ...]:
        return tuple(self.token.encode(errors="replace")) if self.bytes is None else self.bytes


class _Token(_Top, frozen=True):
    top_logprobs: tuple[_Top, ...] = ()


class Logprobs(msgspec.Struct, frozen=True):
    """Be what a choice of a chat, or a delta of it, says of its tokens."""

    content: tuple[_Token, ...] | None = None

    def told(self) -> tuple[TokenLogprob, ...]:
        return tuple(
            TokenLogprob(
                token.token,
                token.logprob,
                token.all_bytes,
                tuple(
                    TopLogprob(top.token, top.logprob, top.all_bytes) for top in token.top_logprobs
                ),
            )
            for token in self.content or ()
        )
