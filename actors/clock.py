"""The clock that every timeout, backoff and window reads."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import math
import time
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Protocol

import msgspec

# Called-off timers are kept until they are more than this, and more than half of all.
_MOST_CALLED_OFF = 64


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

    Each request has a deadline, and nearly all of them are called off. So timers are kept in a
    heap of our own, which costs a third of what the loop's do, and the loop has one: the first.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # asyncio's own loops only pass the question on.
        asks_for_itself = type(self._loop).time is not asyncio.BaseEventLoop.time
        self.now: Callable[[], float] = self._loop.time if asks_for_itself else time.monotonic
        self._heap: list[tuple[float, int, _LoopTimer]] = []
        self._numbers = itertools.count()  # timers of the same time come in the order of setting
        self.called_off = 0
        self._armed: asyncio.TimerHandle | None = None
        self._armed_for = math.inf

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        timer = _LoopTimer(self, callback)
        heappush(self._heap, (when, next(self._numbers), timer))
        if when < self._armed_for:
            self._arm(when)
        return timer

    def clear_out(self) -> None:
        """Forget the timers that were called off, where they are more than the others."""
        if self.called_off * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapify(self._heap)
            self.called_off = 0

    def _arm(self, when: float) -> None:
        if self._armed is not None:
            self._armed.cancel()
        self._armed_for = when
        # In a context of its own: whose deadline happens to be the first is nobody's business.
        self._armed = self._loop.call_at(when, self._fire, context=contextvars.Context())

    def _fire(self) -> None:
        due = max(self._armed_for, self.now())
        self._armed, self._armed_for = None, math.inf
        try:
            while self._heap and self._heap[0][0] <= due:
                self._call(heappop(self._heap)[2])
        finally:
            if self._heap and self._heap[0][0] < self._armed_for:
                self._arm(self._heap[0][0])

    def _call(self, timer: _LoopTimer) -> None:
        callback, timer.callback = timer.callback, None
        if callback is None:
            self.called_off -= 1
            return
        try:
            callback()
        except Exception as error:  # the others must not wait for it
            self._loop.call_exception_handler({"message": "a timer failed", "exception": error})


class _LoopTimer(msgspec.Struct, eq=False):
    """Be a timer of a ``LoopClock``; without a callback once it is over."""

    clock: LoopClock
    callback: Callable[[], object] | None

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self.clock.called_off += 1
            if self.clock.called_off > _MOST_CALLED_OFF:
                self.clock.clear_out()
