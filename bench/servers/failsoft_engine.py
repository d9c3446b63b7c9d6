"""A model of ``model`` as failsoft's engine, in its worker process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, ClassVar

from bench.servers.model import load
from failsoft.gpu.engine import Step
from failsoft.messages import GenerateText, TextChunk, TextReply, Usage

_USAGE = Usage(1, 1)
# Of a model that answers one at a time, so many may be in the worker, and take turns.
_AT_ONCE = 64


class One:
    """Answer one prompt at a time."""

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)
    max_batch = _AT_ONCE

    def __init__(self, model: str) -> None:
        self._name = model

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        self._model = load(self._name)
        return {"model": self._name}

    def generate(self, request: GenerateText) -> Generator[TextChunk | None, None, TextReply]:
        (text,) = self._model.answer([str(request.prompt)], request.max_tokens)
        return TextReply(text, "stop", _USAGE)
        yield

    def unload(self) -> None: ...


class Several:
    """Answer several at once, to the end: a batch takes no more in once it has begun.

    Without ``recover``, the worker finds the prompt that breaks a batch by halves.
    """

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(self, model: str, batch: int, wait_ms: int) -> None:
        self._name = model
        self.max_batch = batch
        self.batch_delay = wait_ms / 1e3
        self._held: dict[int, GenerateText] = {}

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        self._model = load(self._name)
        return {"model": self._name}

    def begin(self, id: int, request: GenerateText) -> bool:
        if len(self._held) == self.max_batch:
            return False
        self._held[id] = request
        return True

    def step(self) -> Sequence[Step]:
        held = self._held
        longest = max(request.max_tokens for request in held.values())
        texts = self._model.answer([str(request.prompt) for request in held.values()], longest)
        self._held = {}
        return [
            Step(id, is_last=True, reply=TextReply(text, "stop", Usage(1, request.max_tokens)))
            for (id, request), text in zip(held.items(), texts, strict=True)
        ]

    def drop(self, id: int) -> None:
        self._held.pop(id, None)

    def unload(self) -> None: ...
