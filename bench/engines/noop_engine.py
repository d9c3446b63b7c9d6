"""A model that does nothing, for a worker process, and for a process pool of the standard library.

It imports no more of ours than an engine must.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from failsoft.messages import GenerateText, TextChunk, TextReply, Usage

AT_ONCE = 64
REQUEST = GenerateText("hello", max_tokens=16)
REPLY = TextReply("hello", "stop", Usage(1, 1))


class Noop:
    """Answer each request at once, with nothing done for it."""

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)
    max_batch = AT_ONCE

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        return {"model": "noop"}

    def generate(self, request: GenerateText) -> Generator[TextChunk | None, None, TextReply]:
        return REPLY
        yield

    def unload(self) -> None: ...


def answer(request: GenerateText) -> TextReply:
    """Do the same in a process pool."""
    return REPLY


def pid() -> int:
    """Tell which process the pool's is."""
    return os.getpid()
