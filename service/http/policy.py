"""HTTP policy: the bounds of the service, in one place."""

from __future__ import annotations

import math

import msgspec

from failsoft.messages.validation import MAX_TEXT_CHARACTERS


class HttpPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Say how much a caller may ask for. Times are in seconds.

    default_timeout: of a request that names none. max_timeout: the most that one may name.
    max_body_bytes: of a request's body. body_timeout: how long it may take to come.
    slow_reader_limit: how long a stream waits for its reader to take one event.
    keep_alive: how long an idle connection is kept, in whole seconds: longer than what stands in
        front keeps one (a minute, as a rule), else a request may meet its end.
    max_characters: of a prompt, all turns of a chat together, or of a text to embed.
    max_choices: answers to one request (``n``, times the prompts).
    """

    default_timeout: float = 60.0
    max_timeout: float = 600.0
    max_body_bytes: int = 8 * 1024 * 1024
    body_timeout: float = 30.0
    slow_reader_limit: float = 30.0
    keep_alive: int = 75
    max_characters: int = MAX_TEXT_CHARACTERS
    max_choices: int = 8

    def __post_init__(self) -> None:
        for name in ("default_timeout", "max_timeout", "body_timeout", "slow_reader_limit"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds > 0):
                raise ValueError(f"{name} must be over 0 s, and finite; it is {seconds}")
        if self.default_timeout > self.max_timeout:
            raise ValueError(
                f"default_timeout ({self.default_timeout} s) must be at most max_timeout "
                f"({self.max_timeout} s)"
            )
        for name in ("keep_alive", "max_body_bytes", "max_characters", "max_choices"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; it is {getattr(self, name)}")
