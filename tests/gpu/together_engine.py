"""A batch engine with no ``recover``: a step that one prompt breaks fails for all in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from failsoft.gpu.engine import Step
from failsoft.messages import GenerateText, TextReply, Usage


class Together:
    """Answer all in one step with their prompts; run out of memory over the prompt ``bad``."""

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)
    max_batch = 4
    # It waits no longer once all four are there.
    batch_delay = 60.0

    def __init__(self) -> None:
        self._held: dict[int, str] = {}

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        return {}

    def begin(self, id: int, request: GenerateText) -> bool:
        self._held[id] = str(request.prompt)
        return True

    def step(self) -> list[Step]:
        if "bad" in self._held.values():
            raise MemoryError
        held, self._held = self._held, {}
        return [
            Step(id, is_last=True, reply=TextReply(text, "stop", Usage(1, 1)))
            for id, text in held.items()
        ]

    def drop(self, id: int) -> None:
        self._held.pop(id, None)

    def unload(self) -> None: ...
