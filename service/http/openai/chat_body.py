"""The body of ``/v1/chat/completions``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from failsoft.messages import ChatMessage, GenerateText, ResponseFormat
from failsoft.messages.validation import MAX_CHAT_MESSAGES
from failsoft.service.http.callers import Caller
from failsoft.service.http.openai.text_fields import TextFields
from failsoft.service.http.openai.unserved import (
    AnyFlag,
    InMemory,
    NoCalls,
    NoFlag,
    TextAlone,
    Unserved,
    UsualTier,
    unserved_errors,
)
from failsoft.service.http.picture import Picture, check_picture
from failsoft.service.http.refusals import InvalidBody
from failsoft.service.http.text_bodies import Prompt, Tokens, TopLogprobs

DEFAULT_MAX_TOKENS = 256


class TextPart(
    msgspec.Struct, frozen=True, tag_field="type", tag="text", forbid_unknown_fields=True
):
    """Be a part of a turn's text."""

    text: str


class PictureUrl(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Be a picture, in itself: a data: URL."""

    url: Picture
    detail: Literal["auto", "low", "high"] | None = None


class PicturePart(
    msgspec.Struct, frozen=True, tag_field="type", tag="image_url", forbid_unknown_fields=True
):
    """Be a picture in a turn; refused, see ``picture``."""

    image_url: PictureUrl


class ChatTurn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Be one turn of a chat. developer is the newer word for system."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Prompt | Annotated[tuple[TextPart | PicturePart, ...], Meta(min_length=1)]
    annotations: Unserved = None
    audio: Unserved = None
    function_call: Unserved = None
    name: Unserved = None
    refusal: Unserved = None
    tool_calls: Unserved = None

    def message(self) -> ChatMessage:
        content = self.content
        if not isinstance(content, str):
            content = "".join(part.text for part in content if isinstance(part, TextPart))
        return ChatMessage("system" if self.role == "developer" else self.role, content)

    def errors(self, path: str) -> dict[str, str]:
        """Give what can't be served: path → words."""
        errors = unserved_errors(self, path)
        for number, part in enumerate(() if isinstance(self.content, str) else self.content):
            if isinstance(part, PicturePart):
                check_picture(part.image_url.url, f"{path}content[{number}].image_url.url", errors)
        return errors


class ChatBody(TextFields, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for the next turn of a chat. Of the last ones nothing is served."""

    messages: Annotated[tuple[ChatTurn, ...], Meta(min_length=1, max_length=MAX_CHAT_MESSAGES)]
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: TopLogprobs | None = None
    response_format: ResponseFormat | None = None
    audio: Unserved = None
    function_call: NoCalls = None
    functions: Unserved = None
    logit_bias: Unserved = None
    metadata: Unserved = None
    modalities: TextAlone = None
    moderation: Unserved = None
    parallel_tool_calls: AnyFlag = None
    prediction: Unserved = None
    prompt_cache_options: Unserved = None
    prompt_cache_retention: InMemory = None
    reasoning_effort: Unserved = None
    service_tier: UsualTier = None
    store: NoFlag = None
    tool_choice: NoCalls = None
    tools: Unserved = None
    verbosity: Unserved = None
    web_search_options: Unserved = None

    def request(self, caller: Caller) -> GenerateText:
        """Give what is asked of a model. Raise InvalidBody for what can't be served."""
        errors = unserved_errors(self) | self.stream_errors()
        for number, turn in enumerate(self.messages):
            errors |= turn.errors(f"messages[{number}].")
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            errors["max_tokens"] = "is the old name of max_completion_tokens; give one of them"
        if errors:
            raise InvalidBody.in_fields(errors)
        return self.asks_for(
            tuple(turn.message() for turn in self.messages),
            caller,
            max_tokens=self.max_completion_tokens or self.max_tokens or DEFAULT_MAX_TOKENS,
            logprobs=bool(self.logprobs),
            top_logprobs=self.top_logprobs or 0,
            response_format=self.response_format,
        )
