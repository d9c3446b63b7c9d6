"""How much one thread reads and writes, apart from what else goes on in its process."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from failsoft.gpu.memory.process_memory import moved_bytes

_TASKS = Path("/proc/self/task")


class ThreadMovement:
    """Count the bytes that the thread that calls ``begin`` reads and writes, and those after it.

    A loader starts threads to fetch files with. Those that were there before belong to others.
    Before ``begin`` there is nothing to count: many workers that wait for their turn to load would
    each look at the threads of all the others.
    """

    def __init__(self) -> None:
        self._others: set[str] | None = None

    def begin(self) -> None:
        """Count from now on."""
        self._others = _threads() - {str(threading.get_native_id())}

    def __call__(self) -> int:
        """Give the bytes so far; 0 where it isn't known."""
        if self._others is None:
            return 0
        return sum(moved_bytes(_TASKS / thread) for thread in _threads() - self._others)


def _threads() -> set[str]:
    try:
        return set(os.listdir(_TASKS))  # noqa: PTH208 - names alone, and ten times as quick
    except OSError:
        return set()
