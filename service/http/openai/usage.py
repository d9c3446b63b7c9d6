"""Usage, and what of ours goes with an answer, in the shape of the OpenAI API."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from failsoft.messages import Usage


class PromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int


class OpenAIUsage(msgspec.Struct, frozen=True):
    """Count tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails

    @classmethod
    def of(cls, usages: Sequence[Usage], choices_a_prompt: int = 1) -> OpenAIUsage:
        """Sum up; a prompt with several choices counts once."""
        prompts = usages[::choices_a_prompt]
        read = sum(usage.prompt_tokens for usage in prompts)
        made = sum(usage.completion_tokens for usage in usages)
        cached = sum(usage.cached_tokens for usage in prompts)
        return cls(read, made, read + made, PromptDetails(cached))


class Made(msgspec.Struct, frozen=True):
    """Tell how an answer came about; see ``TextReply``. Of several choices, it is the worst's."""

    model_used: str
    was_fallback: bool
    attempts: int
    degradation_level: str
    warning: str | None

    @classmethod
    def of(cls, replies: Sequence[Any]) -> Made:
        last = max(replies, key=lambda reply: (reply.was_fallback, reply.attempts))
        warnings = dict.fromkeys(reply.warning for reply in replies if reply.warning)
        return cls(
            last.model_used,
            last.was_fallback,
            last.attempts,
            last.degradation_level,
            " ".join(warnings) or None,
        )


def new_id(prefix: str) -> str:
    return prefix + uuid.uuid4().hex


def created() -> int:
    """Give the time, in whole seconds since the epoch."""
    return int(time.time())
