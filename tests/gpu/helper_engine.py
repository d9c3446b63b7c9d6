"""An engine that starts a helper process of its own, as data loaders and compilers do."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Generator
from typing import Any, ClassVar

from failsoft.messages import GenerateText


class HelperEngine:
    """Hold a helper that would live for ever, and heed no signal that can be ignored."""

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(self) -> None:
        self._helper: subprocess.Popen[bytes] | None = None

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        # It keeps the worker's output open, too.
        self._helper = subprocess.Popen(["sleep", "infinity"])
        return {"helper": self._helper.pid}

    def generate(self, request: GenerateText) -> Generator[None, None, None]:
        yield None

    def unload(self) -> None: ...
