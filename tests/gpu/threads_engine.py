"""An engine that says with how many threads torch computes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar

import torch

from failsoft.messages import GenerateText


class ThreadsEngine:
    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        return {"threads": torch.get_num_threads()}

    def generate(self, request: GenerateText) -> Generator[None, None, None]:
        yield None

    def unload(self) -> None: ...
