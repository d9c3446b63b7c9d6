"""``/v1/completions``: how a plain prompt goes on."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from failsoft.messages import FinishReason, GenerateText, TextChunk, TokenLogprob
from failsoft.messages.validation import validate_text
from failsoft.service.http.callers import Caller
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.openai.choices import ask_all, check_choices, multiplied, stream_all
from failsoft.service.http.openai.chunks import Chunks
from failsoft.service.http.openai.text_fields import TextFields
from failsoft.service.http.openai.unserved import (
    NoFlag,
    NoText,
    OneAlone,
    Unserved,
    unserved_errors,
)
from failsoft.service.http.openai.usage import Made, OpenAIUsage
from failsoft.service.http.refusals import InvalidBody
from failsoft.service.http.text_bodies import Prompt, TopLogprobs

DEFAULT_MAX_TOKENS = 16


class CompletionBody(TextFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask how a prompt goes on; of several, each has its own answer. Prompts are texts."""

    prompt: Prompt | Annotated[tuple[Prompt, ...], Meta(min_length=1, max_length=128)]
    logprobs: TopLogprobs | None = None
    best_of: OneAlone = None
    echo: NoFlag = None
    logit_bias: Unserved = None
    suffix: NoText = None

    @property
    def prompts(self) -> tuple[str, ...]:
        return (self.prompt,) if isinstance(self.prompt, str) else self.prompt

    def requests(self, caller: Caller) -> list[GenerateText]:
        """Give what is asked of a model. Raise InvalidBody for what can't be served."""
        errors = unserved_errors(self) | self.stream_errors()
        if errors:
            raise InvalidBody.in_fields(errors)
        return [
            self.asks_for(
                prompt,
                caller,
                max_tokens=self.max_tokens or DEFAULT_MAX_TOKENS,
                logprobs=self.logprobs is not None,
                top_logprobs=self.logprobs or 0,
            )
            for prompt in self.prompts
        ]


class CompletionLogprobs(msgspec.Struct, frozen=True):
    """Tell of each token; text_offset: where its text begins, as if each had its own."""

    tokens: tuple[str, ...]
    token_logprobs: tuple[float, ...]
    top_logprobs: tuple[dict[str, float], ...]
    text_offset: tuple[int, ...]

    @classmethod
    def of(cls, told: tuple[TokenLogprob, ...], begin: int = 0) -> CompletionLogprobs:
        offsets = []
        for each in told:
            offsets.append(begin)
            begin += len(each.token)
        return cls(
            tuple(each.token for each in told),
            tuple(each.logprob for each in told),
            tuple({top.token: top.logprob for top in each.top_logprobs} for each in told),
            tuple(offsets),
        )


class CompletionChoice(msgspec.Struct, frozen=True):
    index: int
    text: str
    finish_reason: FinishReason | None
    logprobs: CompletionLogprobs | None


class Completion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Answer with how prompts go on; the events of a stream look the same."""

    id: str
    object: str
    created: int
    model: str
    choices: tuple[CompletionChoice, ...]
    usage: OpenAIUsage | None = None
    failsoft: Made | None = None


async def complete(exchange: Exchange) -> None:
    """Answer with how the prompts go on, whole or as a stream."""
    body = await exchange.read(CompletionBody)
    exchange.allow(body.timeout)
    n = body.n or 1
    check_choices(exchange, n * len(body.prompts))
    requests: list[GenerateText] = []
    for number, request in enumerate(body.requests(exchange.caller)):
        name = "prompt" if isinstance(body.prompt, str) else f"prompt[{number}]"
        checked = exchange.check(
            validate_text, request, {"prompt": name, "top_logprobs": "logprobs"}
        )
        requests += multiplied(checked, n)
    served = exchange.gateway.find(GenerateText, body.model)
    writer = _Completions(served.name, n)
    if body.stream:
        end = writer.end if body.wants_usage else lambda: None
        await stream_all(exchange, served.ref, requests, writer.write, end)
        return
    replies = await ask_all(exchange, served.ref, requests)
    choices = tuple(
        CompletionChoice(
            index,
            reply.text,
            reply.finish_reason,
            None if reply.logprobs is None else CompletionLogprobs.of(reply.logprobs),
        )
        for index, reply in enumerate(replies)
    )
    usage = OpenAIUsage.of([reply.usage for reply in replies], n)
    await exchange.answer(writer.event(choices, usage, Made.of(replies)))


class _Completions(Chunks):
    def __init__(self, model: str, n: int) -> None:
        super().__init__(Completion, "text_completion", "cmpl-", model, n)
        self._offsets: dict[int, int] = {}

    def choice(self, index: int, chunk: TextChunk) -> CompletionChoice:
        logprobs = None
        if chunk.logprobs is not None:
            begin = self._offsets.get(index, 0)
            logprobs = CompletionLogprobs.of(chunk.logprobs, begin)
            self._offsets[index] = begin + sum(map(len, logprobs.tokens))
        return CompletionChoice(index, chunk.text, chunk.finish_reason, logprobs)


COMPLETIONS: Final = Endpoint(
    method="POST",
    path="/v1/completions",
    summary="Go on from a plain prompt.",
    handler=complete,
    body=CompletionBody,
    reply=Completion,
    events={"message": Completion},
    is_work=True,
    is_openai=True,
)
