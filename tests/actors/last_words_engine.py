"""An engine that says all there is to say, and dies before it can say that this was all."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from failsoft.messages import GenerateText, TextChunk, Usage


class LastWords:
    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        return {}

    def generate(self, request: GenerateText) -> Generator[TextChunk, None, None]:
        yield TextChunk("farewell", tokens=1, finish_reason="stop", usage=Usage(1, 1))
        os.kill(os.getpid(), signal.SIGKILL)

    def unload(self) -> None: ...
