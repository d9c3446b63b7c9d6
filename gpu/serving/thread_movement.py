"""How much one thread reads and writes, apart from what else goes on in its process."""

from __future__ import annotations

import threading
from pathlib import Path

from failsoft.gpu.memory.process_memory import moved_bytes

_TASKS = Path("/proc/self/task")


class ThreadMovement:
    """Count the bytes that the thread that makes this reads and writes, and those after it.

    A loader starts threads to fetch files with. Those that were there before belong to others.
    """

    def __init__(self) -> None:
        self._others = _threads() - {threading.get_native_id()}

    def __call__(self) -> int:
        """Give the bytes so far; 0 where it isn't known."""
        return sum(moved_bytes(_TASKS / str(thread)) for thread in _threads() - self._others)


def _threads() -> set[int]:
    try:
        return {int(entry.name) for entry in _TASKS.iterdir()}
    except OSError:
        return set()
