"""An event loop whose clock jumps to the next timer when nothing else can run.

For tests in memory: a wait of an hour takes no time, and always the same turns. What takes real
time doesn't go with it: calls in threads are waited for while the clock stands still; a wait for
a process or a socket is an error, not a jump past it.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
from collections.abc import Sequence
from typing import Any

from failsoft.testing.virtual_clock import MAX_JUMPS, PATIENCE, VirtualClock


class VirtualTimeLoop(VirtualClock, asyncio.SelectorEventLoop):
    """Run as asyncio's selector loop does, in virtual seconds from 0.

    max_jumps: jumps in one run, of a test or a fixture, after which it counts as running for
        ever. patience: real seconds that calls in threads may take.

    Raise WouldHang from the run where nothing can wake it, where it would have to wait for a
    descriptor, where time runs and nothing ends, and where a process is to be started.
    """

    # The loop's own ready queue, timer heap and count of cancelled timers: there is no public
    # way to see that a loop is idle.
    _ready: Any
    _scheduled: Any
    _timer_cancelled_count: int
    _stopping: bool
    _selector: selectors.BaseSelector
    _clock_resolution: float

    def __init__(self, *, max_jumps: int = MAX_JUMPS, patience: float = PATIENCE) -> None:
        super().__init__(max_jumps=max_jumps, patience=patience)
        self._own_descriptors = len(self._selector.get_map())

    def _run_once(self) -> None:
        if not self._ready and not self._stopping:
            self._go_on()
        super()._run_once()  # type: ignore[misc]  # there, though not in the stubs

    def _wakes_within(self, seconds: float) -> bool:
        return bool(self._ready or self._selector.select(seconds))

    def _first_timer(self) -> float:
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        return self._scheduled[0].when() if self._scheduled else math.inf

    def _real_waits(self) -> Sequence[int]:
        # Its own are the first.
        return [key.fd for key in self._selector.get_map().values()][self._own_descriptors :]

    def _jump(self, when: float) -> None:
        # So far from 0 the loop's resolution is lost in the float, and nothing would be due.
        is_far = when + self._clock_resolution <= when
        super()._jump(math.nextafter(when, math.inf) if is_far else when)
