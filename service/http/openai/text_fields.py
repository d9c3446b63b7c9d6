"""Fields that requests for chats and for completions have in common."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from failsoft.messages import ChatMessage, GenerateText
from failsoft.service.http.callers import Caller
from failsoft.service.http.openai.unserved import NoFlag, unserved_errors
from failsoft.service.http.text_bodies import (
    Penalty,
    Seed,
    Stop,
    Temperature,
    Timeout,
    Tokens,
    TopP,
)

Choices = Annotated[int, Meta(ge=1, le=128)]


class StreamOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Say what a stream has. include_usage: one more event, with the tokens' count."""

    include_usage: bool | None = None
    include_obfuscation: NoFlag = None


class TextFields(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Be what requests for texts have in common. null is as if a field weren't there.

    user, safety_identifier, prompt_cache_key: taken, and nothing is done with them.
    timeout: seconds for the whole answer; ours.
    """

    model: str | None = None
    max_tokens: Tokens | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    n: Choices | None = None
    stop: str | Stop | None = None
    seed: Seed | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    timeout: Timeout | None = None

    def asks_for(
        self, prompt: str | tuple[ChatMessage, ...], caller: Caller, **fields: Any
    ) -> GenerateText:
        """Give what is asked of a model for ``prompt``."""
        stop = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        return GenerateText(
            prompt,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            stop=stop,
            seed=self.seed,
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            priority=caller.priority,
            tenant=caller.tenant,
            **fields,
        )

    def stream_errors(self) -> dict[str, str]:
        """Give what is wrong with how the answer is to come: path → words."""
        if self.stream_options is None:
            return {}
        if not self.stream:
            return {"stream_options": "needs stream to be true"}
        return unserved_errors(self.stream_options, "stream_options.")

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and bool(self.stream_options.include_usage)
