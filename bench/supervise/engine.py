"""The model as an engine of ours: a step of the model is a step of the engine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar

from bench.supervise.model import load
from failsoft.messages import GenerateText, TextChunk, TextReply, Usage


class Supervised:
    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(self, *, model: str) -> None:
        self._name = model

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        self._model = load(self._name)
        return {"model": self._name}

    def generate(self, request: GenerateText) -> Generator[TextChunk | None, None, TextReply]:
        prompt = str(request.prompt)
        for piece in self._model.stream(prompt, request.max_tokens):
            yield TextChunk(piece)
        return TextReply(prompt, "stop", Usage(1, request.max_tokens))

    def unload(self) -> None: ...
