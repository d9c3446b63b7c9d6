"""Requests: what a caller may ask, each typed by its reply."""

from __future__ import annotations

import typing
from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec

from failsoft.messages.answered import Answered
from failsoft.messages.reply import TextChunk, TextReply
from failsoft.messages.response_format import ResponseFormat

ReplyT = TypeVar("ReplyT", covariant=True)
ChunkT = TypeVar("ChunkT", covariant=True)


class Message(msgspec.Struct, frozen=True):
    """Be the base of everything that travels through a mailbox: frozen, typed, encodable.

    Work of a higher ``priority`` is handled first; without one it is 0. A class has it for all its
    messages, ``priority: ClassVar[int] = 5``, or as a field, ``priority: int = 0``, for each.
    """


class Control(Message, frozen=True):
    """Be the base of messages that go in the control lane and outrun all work."""


class Request(Message, Generic[ReplyT], frozen=True):
    """Be the base of messages that are answered, exactly once, with a ``ReplyT``.

    ``class Add(Request[int], frozen=True): n: int`` makes ``await ref.ask(Add(1))``
    an ``int`` for mypy and pyright. ``reply_type`` holds the same type at run time.
    """

    reply_type: ClassVar[Any] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.reply_type = _argument_of(cls, Request) or cls.reply_type


class Streamed(Message, Generic[ChunkT], frozen=True):
    """Be the base of messages that may be answered by a stream of ``ChunkT`` and one end."""

    chunk_type: ClassVar[Any] = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.chunk_type = _argument_of(cls, Streamed) or cls.chunk_type


def _argument_of(cls: type, generic: type) -> Any:
    """Give ``X`` where ``cls`` has ``generic[X]`` among its bases, else None."""
    for base in getattr(cls, "__orig_bases__", ()):
        if typing.get_origin(base) is generic:
            (argument,) = typing.get_args(base)
            return argument
    return None


class ChatMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold one turn of a chat, as in the OpenAI API."""

    role: Literal["system", "user", "assistant"]
    content: str


class GenerateText(Request[TextReply], Streamed[TextChunk], frozen=True, tag="generate_text"):
    """Ask a language model to go on from a prompt. Fields are named as in the OpenAI API.

    prompt: plain text (a completion), or the turns of a chat, which go through the
        model's chat template.
    max_tokens: how many tokens to make at most, at least 1.
    temperature: 0 is greedy; from 0 to 2.
    top_p: nucleus sampling, over 0 to 1.
    stop: strings that end the answer; they are not part of it. At most 4.
    seed: makes sampling repeatable on the same model and device.
    frequency_penalty, presence_penalty: from -2 to 2; taken off a token's score for each time it
        is in the answer so far, and once where it is there at all.
    logprobs: whether to tell how likely each token of the answer was: by the model's own scores,
        before temperature, penalties and response_format change them.
    top_logprobs: how many of the most likely tokens to tell at each place, from 0 to 20.
    response_format: the form that the answer must have; None: any text.
    priority: of those that wait for a model, the higher goes first.
    tenant: whom it is for; while several wait, each gets a fair share.
    batch_divisor: at least 1; while it is worked on, a model takes so many times fewer texts at
        once, at least one. A router under load sets it.
    answered: the beginning of the answer, which has been given already: only what follows is
        given, and the answer's limits and counts are those of the whole. A router sets it.
    """

    prompt: str | tuple[ChatMessage, ...]
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logprobs: bool = False
    top_logprobs: int = 0
    response_format: ResponseFormat | None = None
    priority: int = 0
    tenant: str = ""
    batch_divisor: float = 1.0
    answered: Answered | None = None
