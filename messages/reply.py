"""Replies, and the chunks of a streamed reply."""

from __future__ import annotations

from typing import Literal

import msgspec

from failsoft.messages.logprobs import TokenLogprob

FinishReason = Literal["stop", "length"]


class Usage(msgspec.Struct, frozen=True):
    """Count the tokens of one request, as in the OpenAI API.

    cached_tokens: of the prompt's, those that the model had read in an earlier prompt.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class TextReply(msgspec.Struct, frozen=True, tag="text_reply"):
    """Answer a ``GenerateText``.

    finish_reason: ``stop`` (end of text or a stop string) or ``length`` (max_tokens).
    model_used, was_fallback, attempts: which model of the route answered, whether it
        was not the first choice, and how many sends that took.
    degradation_level: ``full``, ``reduced`` or ``minimal``: what the load allowed.
    warning: in words, where the request was served with less than it asked for.
    logprobs: of the tokens whose text is in the answer, in order; None where they weren't asked
        for.
    """

    text: str
    finish_reason: FinishReason
    usage: Usage
    model_used: str = ""
    was_fallback: bool = False
    attempts: int = 1
    degradation_level: str = "full"
    warning: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None


class TextChunk(msgspec.Struct, frozen=True, tag="text_chunk"):
    """Carry one piece of a streamed answer; never a part of a character.

    The chunks' texts joined are the answer, and their ``logprobs`` are the answer's. token_ids:
    the tokens made for it, of the model's own; a router keeps them for itself. The last
    chunk alone has ``finish_reason``, ``usage`` and a ``warning``, if there is one; its text may
    be empty.
    """

    text: str
    tokens: int = 1
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    model_used: str = ""
    was_fallback: bool = False
    attempts: int = 1
    degradation_level: str = "full"
    warning: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    token_ids: tuple[int, ...] = ()

    @property
    def is_last(self) -> bool:
        """Tell whether the answer ends with it."""
        return self.finish_reason is not None

    def merge(self, later: TextChunk) -> TextChunk:
        """Join with the chunk that follows, so that a slow reader gets fewer, longer chunks."""
        told = [logprobs for logprobs in (self.logprobs, later.logprobs) if logprobs is not None]
        return msgspec.structs.replace(
            later,
            text=self.text + later.text,
            tokens=self.tokens + later.tokens,
            token_ids=self.token_ids + later.token_ids,
            logprobs=sum(told, ()) if told else None,
        )
