"""Whether there is room: for a model before its load, and for a request before its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from failsoft.gpu.memory.device_memory import DeviceMemory, free_cache, memory_at_work
from failsoft.messages.errors import OutOfMemory

MAX_MEMORY_SHARE = 0.9
"""Of the memory of the device, or of the machine, that may be in use, by whomever."""

_MIB = 1024 * 1024
_LOOK_EVERY = 0.05


def has_room(
    memory: DeviceMemory, needed: int = 0, max_memory_share: float = MAX_MEMORY_SHARE
) -> bool:
    """Tell whether ``needed`` bytes more keep ``memory`` within its share. Pure.

    Where nothing is known of it, there is room.
    """
    return not memory.total or memory.in_use + needed <= max_memory_share * memory.total


class MemoryGuard:
    """Refuse requests while the memory is nearly full. Looks at most once in ``look_every`` s.

    read: gives the memory. free: gives back what nobody uses; called once when it becomes full.
    """

    def __init__(
        self,
        read: Callable[[], tuple[int, ...]] = memory_at_work,
        free: Callable[[], None] = free_cache,
        *,
        max_memory_share: float = MAX_MEMORY_SHARE,
        look_every: float = _LOOK_EVERY,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._free = free
        self._max_memory_share = max_memory_share
        self._look_every = look_every
        self._now = now
        self._look_from = float("-inf")
        self._full: DeviceMemory | None = None

    def __repr__(self) -> str:
        return f"<MemoryGuard {'full' if self._full else 'open'} at {self._max_memory_share:.0%}>"

    def check(self) -> None:
        """Raise OutOfMemory, with both figures, where a request must not be begun now."""
        if self._now() >= self._look_from:
            self._full = self._look()
            self._look_from = self._now() + self._look_every
        if self._full is not None:
            raise OutOfMemory.on_device(
                self._full.in_use / _MIB,
                self._full.available / _MIB,
                f"Over {self._max_memory_share:.0%} of the memory is in use already; send the "
                "request to another model, or later.",
            )

    def _look(self) -> DeviceMemory | None:
        """Give the memory where it is full, and stays so."""
        full = self._full_memory()
        if full is not None and self._full is None:
            self._free()
            full = self._full_memory()
        return full

    def _full_memory(self) -> DeviceMemory | None:
        try:
            memory = DeviceMemory(*self._read())
        # A device in trouble says so at the next step, of which this request is no part yet.
        except Exception:
            return None
        return None if has_room(memory, max_memory_share=self._max_memory_share) else memory


def memory_guard_of(engine: Any) -> MemoryGuard:
    """Make the guard of an engine: with its own memory and share, where it has them."""
    return MemoryGuard(
        getattr(engine, "device_memory", memory_at_work),
        max_memory_share=getattr(engine, "max_memory_share", MAX_MEMORY_SHARE),
    )
