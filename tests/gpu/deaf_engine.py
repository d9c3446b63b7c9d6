"""An engine that heeds no SIGTERM and never ends an answer."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from failsoft.messages import GenerateText, TextChunk


class DeafEngine:
    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        return {}

    def generate(self, request: GenerateText) -> Generator[TextChunk, None, None]:
        yield TextChunk("x")
        threading.Event().wait()

    def unload(self) -> None: ...
