"""A text engine whose answers say how many texts it had in work at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec

from failsoft.gpu.engine import Step
from failsoft.gpu.text.engine import TextEngine
from failsoft.messages import GenerateText


class CountingEngine(TextEngine):
    """Answer with that number, in place of the text: the highest since it was last idle."""

    _most = 0

    def begin(self, id: int, request: GenerateText) -> bool:
        batch = self._loaded_batch()
        self._most = self._most if batch.rows else 0
        is_in = super().begin(id, request)
        self._most = max(self._most, len(batch.rows))
        return is_in

    def step(self) -> Sequence[Step]:
        return [self._counted(step) for step in super().step()]

    def _counted(self, step: Step) -> Step:
        if step.reply is None:
            return step
        reply = msgspec.structs.replace(step.reply, text=str(self._most))
        return dataclasses.replace(step, reply=reply)
