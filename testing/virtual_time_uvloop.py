"""The loop with virtual time, for those who run on uvloop.

uvloop can't be asked whether something can run. So a look at it is always in its queue: where
nothing was queued between two looks, nothing can, since all that was queued before has been run.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVarTuple

from failsoft.testing.errors import WouldHang
from failsoft.testing.processes import open_numbers
from failsoft.testing.virtual_clock import MAX_JUMPS, PATIENCE, VirtualClock

if TYPE_CHECKING:
    from asyncio import SelectorEventLoop as Uvloop  # uvloop's own types are not asyncio's
else:
    from uvloop import Loop as Uvloop

ArgsT = TypeVarTuple("ArgsT")


class VirtualTimeUvloop(VirtualClock, Uvloop):
    """Run as uvloop does, in virtual seconds from 0, by the rules of ``VirtualTimeLoop``.

    max_jumps, patience, and what is raised: as there. Timers are exact, where uvloop's own are
    rounded to a millisecond. Waits for descriptors are seen on Linux.
    """

    _own_descriptors: frozenset[int]
    _get_backend_id: Callable[[], int]  # of uvloop: the descriptor that it polls with

    def __new__(cls, **_options: Any) -> Self:
        before = open_numbers()
        loop: Self = super().__new__(cls)
        loop._own_descriptors = _new_since(before)
        return loop

    def __init__(self, *, max_jumps: int = MAX_JUMPS, patience: float = PATIENCE) -> None:
        super().__init__(max_jumps=max_jumps, patience=patience)
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()  # timers of the same time come in the order of setting
        self._queued = 0
        self._queued_by_last_look = 0
        self._is_called = threading.Event()  # by another thread
        self._error: WouldHang | None = None
        self._open_before_run: set[int] | None = None
        self._for_signals: frozenset[int] = frozenset()
        super().call_soon(self._look)

    def run_forever(self) -> None:
        self._open_before_run = open_numbers()
        super().run_forever()
        error, self._error = self._error, None
        if error is not None:
            raise error

    def close(self) -> None:
        super().close()
        self._timers.clear()

    # -- what is queued

    def call_soon(
        self, callback: Callable[[*ArgsT], object], *args: *ArgsT, context: Context | None = None
    ) -> asyncio.Handle:
        self._queued += 1
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self, callback: Callable[[*ArgsT], object], *args: *ArgsT, context: Context | None = None
    ) -> asyncio.Handle:
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        self._is_called.set()
        return handle

    def stop(self) -> None:
        self._queued += 1
        super().stop()

    def call_later(
        self,
        delay: float,
        callback: Callable[[*ArgsT], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*ArgsT], object],
        *args: *ArgsT,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), timer))
        if when <= self.time():
            self._fire()
        return timer

    def _timer_handle_cancelled(self, _timer: asyncio.TimerHandle) -> None:
        """Leave it among the timers, until its turn: a timer's ``cancel`` calls this."""

    def _fire(self) -> None:
        while self._timers and self._timers[0][0] <= self.time():
            self.call_soon(_run, heappop(self._timers)[2])

    # -- the look

    def _look(self) -> None:
        super().call_soon(self._look)
        if self._open_before_run is not None:
            # The first look of a run goes before all else: what is new is the loop's.
            self._for_signals = _new_since(self._open_before_run)
            self._open_before_run = None
        if self._wakes_within(0):
            self._queued_by_last_look = self._queued
            self._is_called.clear()
            return
        try:
            self._go_on()
        except WouldHang as error:
            self._error = error
            self.stop()
        self._fire()

    def _wakes_within(self, seconds: float) -> bool:
        return self._queued != self._queued_by_last_look or self._is_called.wait(seconds)

    def _first_timer(self) -> float:
        while self._timers and self._timers[0][2].cancelled():
            heappop(self._timers)
        return self._timers[0][0] if self._timers else math.inf

    def _real_waits(self) -> Sequence[int]:
        own = self._own_descriptors | self._for_signals
        return [number for number in _polled_by(self._get_backend_id()) if number not in own]


def _run(timer: asyncio.TimerHandle) -> None:
    if not timer.cancelled():
        timer._run()


def _new_since(before: set[int]) -> frozenset[int]:
    return frozenset(open_numbers() - before)


def _polled_by(epoll: int) -> list[int]:
    """Give the descriptors that an epoll descriptor waits for; none where that isn't told."""
    try:
        lines = Path(f"/proc/self/fdinfo/{epoll}").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    return [int(line.split()[1]) for line in lines if line.startswith("tfd:")]
