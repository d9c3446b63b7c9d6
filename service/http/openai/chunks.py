"""Chunks: the events of a streamed answer, of a chat's or of a completion's choices."""

from __future__ import annotations

from typing import Any

import msgspec

from failsoft.messages import TextChunk, Usage
from failsoft.service.http.openai.usage import Made, OpenAIUsage, created, new_id

_encode = msgspec.json.Encoder().encode


class Chunks:
    """Make the events of one answer, each of them a ``kind``; ``n`` choices a prompt.

    Others say how the chunk of a choice looks.
    """

    def __init__(self, kind: type[Any], object: str, prefix: str, model: str, n: int) -> None:
        self._kind = kind
        self._object = object
        self._id = new_id(prefix)
        self._created = created()
        self._model = model
        self._n = n
        self._usages: dict[int, Usage] = {}

    def choice(self, index: int, chunk: TextChunk) -> Any:
        """Give the chunk of a choice, in the shape of the API."""
        raise NotImplementedError

    def write(self, index: int, chunk: TextChunk) -> bytes:
        """Give the event for a chunk of a choice."""
        if chunk.usage is not None:
            self._usages[index] = chunk.usage
        made = None if chunk.finish_reason is None else Made.of([chunk])
        return _encode(self.event((self.choice(index, chunk),), None, made))

    def end(self) -> bytes:
        """Give the event after all choices, with the tokens' count."""
        # In the order of the choices, for each prompt counts once.
        usages = [self._usages[index] for index in sorted(self._usages)]
        return _encode(self.event((), OpenAIUsage.of(usages, self._n), None))

    def event(self, choices: tuple[Any, ...], usage: OpenAIUsage | None, made: Made | None) -> Any:
        return self._kind(
            id=self._id,
            object=self._object,
            created=self._created,
            model=self._model,
            choices=choices,
            usage=usage,
            failsoft=made,
        )
