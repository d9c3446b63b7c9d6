"""An engine that starts a helper process of its own, as data loaders and compilers do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from failsoft.messages import GenerateText


class HelperEngine:
    """Hold a helper that would live for ever."""

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(self) -> None:
        self._helper: subprocess.Popen[bytes] | None = None

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        # It keeps the worker's output open, too.
        self._helper = subprocess.Popen(["sleep", "infinity"])
        return {"helper": self._helper.pid}

    def generate(self, request: GenerateText) -> Generator[None, None, None]:
        yield None

    def unload(self) -> None: ...
