"""The clock that every timeout, backoff and window reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Be something that will happen, and can be called off."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Tell the time in seconds, monotonic, and call back at a time."""

    def now(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer: ...


class LoopClock:
    """Read the running event loop's clock.

    On Linux and macOS that is the machine's monotonic clock, which all processes share, so a
    deadline means the same in a worker process. A loop with virtual time makes it virtual.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now: Callable[[], float] = self._loop.time

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        return self._loop.call_at(when, callback)
