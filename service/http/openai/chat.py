"""``/v1/chat/completions``."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from failsoft.messages import FinishReason, GenerateText, TextChunk, TextReply, TokenLogprob
from failsoft.messages.validation import validate_text
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.openai.chat_body import ChatBody
from failsoft.service.http.openai.choices import (
    ask_all,
    check_choices,
    multiplied,
    stream_all,
)
from failsoft.service.http.openai.chunks import Chunks
from failsoft.service.http.openai.usage import Made, OpenAIUsage, created, new_id


class ChatLogprobs(msgspec.Struct, frozen=True):
    content: tuple[TokenLogprob, ...]
    refusal: None = None


class AssistantMessage(msgspec.Struct, frozen=True):
    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class ChatChoice(msgspec.Struct, frozen=True):
    index: int
    message: AssistantMessage
    finish_reason: FinishReason
    logprobs: ChatLogprobs | None


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """Answer with the next turn of a chat."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[ChatChoice, ...]
    usage: OpenAIUsage
    failsoft: Made


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    content: str
    role: Literal["assistant"] | None = None


class ChatDelta(msgspec.Struct, frozen=True):
    index: int
    delta: Delta
    finish_reason: FinishReason | None = None
    logprobs: ChatLogprobs | None = None


class ChatChunk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Carry a piece of a turn. usage: in the one event after all choices; failsoft: in its last."""

    id: str
    object: str
    created: int
    model: str
    choices: tuple[ChatDelta, ...]
    usage: OpenAIUsage | None = None
    failsoft: Made | None = None


async def chat(exchange: Exchange) -> None:
    """Answer with the next turn of a chat, whole or as a stream."""
    body = await exchange.read(ChatBody)
    exchange.allow(body.timeout)
    request = exchange.check(validate_text, body.request(exchange.caller), {"prompt": "messages"})
    n = body.n or 1
    check_choices(exchange, n)
    served = exchange.gateway.find(GenerateText, body.model)
    requests = multiplied(request, n)
    if body.stream:
        chunks = _ChatChunks(served.name, n)
        end = chunks.end if body.wants_usage else lambda: None
        await stream_all(exchange, served.ref, requests, chunks.write, end)
        return
    replies = await ask_all(exchange, served.ref, requests)
    await exchange.answer(_completion(replies, served.name))


def _completion(replies: list[TextReply], model: str) -> ChatCompletion:
    return ChatCompletion(
        id=new_id("chatcmpl-"),
        created=created(),
        model=model,
        choices=tuple(
            ChatChoice(
                index, AssistantMessage(reply.text), reply.finish_reason, _logprobs(reply.logprobs)
            )
            for index, reply in enumerate(replies)
        ),
        usage=OpenAIUsage.of([reply.usage for reply in replies], len(replies)),
        failsoft=Made.of(replies),
    )


class _ChatChunks(Chunks):
    def __init__(self, model: str, n: int) -> None:
        super().__init__(ChatChunk, "chat.completion.chunk", "chatcmpl-", model, n)
        self._begun: set[int] = set()

    def choice(self, index: int, chunk: TextChunk) -> ChatDelta:
        role: Literal["assistant"] | None = None
        if index not in self._begun:
            self._begun.add(index)
            role = "assistant"
        delta = Delta(chunk.text, role)
        return ChatDelta(index, delta, chunk.finish_reason, _logprobs(chunk.logprobs))


def _logprobs(told: tuple[TokenLogprob, ...] | None) -> ChatLogprobs | None:
    return None if told is None else ChatLogprobs(told)


CHAT: Final = Endpoint(
    method="POST",
    path="/v1/chat/completions",
    summary="Make the next turn of a chat.",
    handler=chat,
    body=ChatBody,
    reply=ChatCompletion,
    events={"message": ChatChunk},
    is_work=True,
    is_openai=True,
)
