"""The bodies of requests for texts to the service's own endpoints, and their answers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from failsoft.messages import (
    ChatMessage,
    FinishReason,
    GenerateText,
    ResponseFormat,
    TextChunk,
    TextReply,
    TokenLogprob,
    Usage,
)
from failsoft.messages.validation import MAX_STOP_STRINGS, MAX_TOKENS, MAX_TOP_LOGPROBS
from failsoft.service.http.callers import Caller
from failsoft.service.http.picture import Picture, check_picture
from failsoft.service.http.refusals import InvalidBody

# Told, and not checked here: a text is looked at, and its faults told in words, when it is clean.
Prompt = Annotated[str, Meta(extra_json_schema={"minLength": 1})]
Tokens = Annotated[int, Meta(ge=1, le=MAX_TOKENS)]
Temperature = Annotated[float, Meta(ge=0, le=2)]
TopP = Annotated[float, Meta(gt=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
TopLogprobs = Annotated[int, Meta(ge=0, le=MAX_TOP_LOGPROBS)]
Stop = Annotated[tuple[str, ...], Meta(max_length=MAX_STOP_STRINGS)]
Timeout = Annotated[float, Meta(gt=0)]


class GenerateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a text. Fields are those of ``GenerateText``, and a few more.

    model: who is asked; without it the first that makes texts. timeout: seconds for the answer.
    stream: whether it comes in pieces, as server-sent events. image: refused, see ``picture``.
    """

    prompt: Prompt | tuple[ChatMessage, ...]
    max_tokens: Tokens = 256
    temperature: Temperature = 1.0
    top_p: TopP = 1.0
    stop: Stop = ()
    seed: Seed | None = None
    frequency_penalty: Penalty = 0.0
    presence_penalty: Penalty = 0.0
    logprobs: bool = False
    top_logprobs: TopLogprobs = 0
    response_format: ResponseFormat | None = None
    model: str | None = None
    timeout: Timeout | None = None
    stream: bool = False
    image: Picture | None = None

    def request(self, caller: Caller) -> GenerateText:
        """Give what is asked of the model. Raise InvalidBody for a picture."""
        if self.image is not None:
            errors: dict[str, str] = {}
            check_picture(self.image, "image", errors)
            raise InvalidBody.in_fields(errors)
        return GenerateText(
            self.prompt,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=self.stop,
            seed=self.seed,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            logprobs=self.logprobs,
            top_logprobs=self.top_logprobs,
            response_format=self.response_format,
            priority=caller.priority,
            tenant=caller.tenant,
        )


class GenerateAnswer(msgspec.Struct, frozen=True):
    """Answer with a text; see ``TextReply``."""

    text: str
    finish_reason: FinishReason
    usage: Usage
    model_used: str
    was_fallback: bool
    attempts: int
    degradation_level: str
    warning: str | None
    logprobs: tuple[TokenLogprob, ...] | None

    @classmethod
    def of(cls, reply: TextReply) -> GenerateAnswer:
        return cls(
            reply.text,
            reply.finish_reason,
            reply.usage,
            reply.model_used,
            reply.was_fallback,
            reply.attempts,
            reply.degradation_level,
            reply.warning,
            reply.logprobs,
        )

    @classmethod
    def joined(cls, chunks: Sequence[TextChunk]) -> GenerateAnswer:
        """Make it of all chunks of a stream: the last one has what isn't text."""
        last = chunks[-1]
        assert last.finish_reason is not None
        assert last.usage is not None
        told = [chunk.logprobs for chunk in chunks if chunk.logprobs is not None]
        return cls(
            "".join(chunk.text for chunk in chunks),
            last.finish_reason,
            last.usage,
            last.model_used,
            last.was_fallback,
            last.attempts,
            last.degradation_level,
            last.warning,
            tuple(itertools.chain.from_iterable(told)) if told else None,
        )


class TextEvent(msgspec.Struct, frozen=True):
    """Carry a piece of a streamed text; see ``TextChunk``."""

    text: str
    tokens: int
    logprobs: tuple[TokenLogprob, ...] | None

    @classmethod
    def of(cls, chunk: TextChunk) -> TextEvent:
        return cls(chunk.text, chunk.tokens, chunk.logprobs)
