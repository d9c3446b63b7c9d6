"""An event loop whose clock jumps to the next timer when nothing else can run.

For tests in memory: a wait of an hour takes no time, and always the same turns. Not for tests
that wait for real work (a process, a thread, a socket): the clock would jump past it.
"""

from __future__ import annotations

import asyncio
import heapq
from typing import Any


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Run as asyncio's selector loop does, in virtual seconds from 0."""

    # The loop's own ready queue, timer heap and count of cancelled timers: there is no public
    # way to see that a loop is idle.
    _ready: Any
    _scheduled: Any
    _timer_cancelled_count: int

    def __init__(self) -> None:
        self._virtual_now = 0.0
        super().__init__()

    def time(self) -> float:
        return self._virtual_now

    def _run_once(self) -> None:
        if not self._ready:
            self._jump()
        super()._run_once()  # type: ignore[misc]  # there, though not in the stubs

    def _jump(self) -> None:
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        if self._scheduled:
            self._virtual_now = max(self._virtual_now, self._scheduled[0].when())
