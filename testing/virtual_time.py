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
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NoReturn, TypeVar, TypeVarTuple

from failsoft.testing.errors import WouldHang
from failsoft.testing.processes import open_descriptors
from failsoft.testing.waiting_tasks import describe_tasks

ResultT = TypeVar("ResultT")
ArgsT = TypeVarTuple("ArgsT")

MAX_JUMPS = 100_000
PATIENCE = 30.0
_LOOK_EVERY = 0.05
_REMEDY = "mark the test real_time, or replace what is real by what is in memory"


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Run as asyncio's selector loop does, in virtual seconds from 0.

    max_jumps: jumps in one run, of a test or a fixture, after which it counts as running for
        ever. patience: real seconds that calls in threads may take.
    when_stuck: called with the error where the run can't go on, instead of raising it from the
        run. It has to make something run, such as by cancelling a task. It is called once.

    Raise WouldHang from the run where nothing can wake it, where it would have to wait for a
    descriptor, where time runs and nothing ends, and where a process is to be started.
    """

    # The loop's own ready queue, timer heap and count of cancelled timers: there is no public
    # way to see that a loop is idle.
    _ready: Any
    _scheduled: Any
    _timer_cancelled_count: int
    _stopping: bool
    _clock_resolution: float

    def __init__(self, *, max_jumps: int = MAX_JUMPS, patience: float = PATIENCE) -> None:
        self._virtual_now = 0.0
        self._max_jumps = max_jumps
        self._patience = patience
        self._jumps = 0
        self._thread_calls = 0
        self.when_stuck: Callable[[WouldHang], object] | None = None
        self._poll = selectors.DefaultSelector()
        super().__init__(self._poll)
        self._own_descriptors = len(self._poll.get_map())

    def time(self) -> float:
        return self._virtual_now

    def run_forever(self) -> None:
        self._jumps = 0
        super().run_forever()

    def _run_once(self) -> None:
        if not self._ready and not self._stopping:
            self._go_on()
        super()._run_once()  # type: ignore[misc]  # there, though not in the stubs

    # -- when nothing is ready

    def _go_on(self) -> None:
        """Make it so that something can run at once, or say that nothing ever will."""
        if self._wait_for_threads() or self._poll.select(0):
            return
        if len(self._poll.get_map()) > self._own_descriptors:
            self._is_stuck(f"it waits in virtual time for what is real: {self._what()}; {_REMEDY}")
        elif not self._has_timer():
            self._is_stuck(
                "nothing can run any more and no timer is set: what it waits for never comes "
                f"in virtual time. Where a thread or a signal was to bring it, {_REMEDY}"
            )
        elif self._jumps >= self._max_jumps:
            self._is_stuck(
                f"the virtual clock jumped {self._jumps} times, to {self._virtual_now:g} s, and "
                "there is no end: something periodic runs while the test waits for what never "
                "comes. Where the test needs so many, mark it virtual_time(max_jumps=…)"
            )
        else:
            self._jump()

    def _has_timer(self) -> bool:
        while self._scheduled and self._scheduled[0].cancelled():
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        return bool(self._scheduled) and self._scheduled[0].when() < math.inf

    def _jump(self) -> None:
        self._jumps += 1
        when = max(self._virtual_now, self._scheduled[0].when())
        # So far from 0 the loop's resolution is lost in the float, and nothing would be due.
        is_far = when + self._clock_resolution <= when
        self._virtual_now = math.nextafter(when, math.inf) if is_far else when

    def _is_stuck(self, reason: str) -> None:
        error = WouldHang(reason, describe_tasks(asyncio.all_tasks(self)))
        tell, self.when_stuck = self.when_stuck, None
        self._jumps = 0  # what cleans up may need some
        if tell is not None:
            tell(error)
        if not self._ready:
            raise error

    def _what(self) -> str:
        """Say what the descriptors are that it waits for, all but the loop's own, the first."""
        known = open_descriptors()
        waited = [key.fd for key in self._poll.get_map().values()][self._own_descriptors :]
        return ", ".join(f"descriptor {number} ({known.get(number, '?')})" for number in waited)

    # -- what is real

    def _waits_for_threads(self) -> bool:
        return self._thread_calls > 0 or any(
            _is_busy_worker_of(thread, self) for thread in threading.enumerate()
        )

    def _wait_for_threads(self) -> bool:
        """Wait while calls in threads are under way; tell whether something can run by that."""
        until = time.monotonic() + self._patience
        while self._waits_for_threads():
            if self._ready or self._poll.select(_LOOK_EVERY):
                return True
            if time.monotonic() > until:
                self._is_stuck(
                    f"a call in a thread has not ended for {self._patience:g} real seconds, while "
                    f"the virtual clock stands still: {_REMEDY}"
                )
                return True
        return False

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*ArgsT], ResultT],
        *args: *ArgsT,
    ) -> asyncio.Future[ResultT]:
        future = super().run_in_executor(executor, func, *args)
        self._thread_calls += 1
        future.add_done_callback(self._thread_call_done)
        return future

    def _thread_call_done(self, _future: asyncio.Future[Any]) -> None:
        self._thread_calls -= 1

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        # It joins the threads in one of its own, and says so from there.
        self._thread_calls += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._thread_calls -= 1

    async def subprocess_exec(self, *command: Any, **options: Any) -> NoReturn:
        raise WouldHang(f"a process takes real time, and the clock is virtual: {_REMEDY}")

    async def subprocess_shell(self, *command: Any, **options: Any) -> NoReturn:
        raise WouldHang(f"a process takes real time, and the clock is virtual: {_REMEDY}")


def _is_busy_worker_of(thread: threading.Thread, loop: VirtualTimeLoop) -> bool:
    """Tell whether anyio has given the thread a call whose result is still to come."""
    return (
        getattr(thread, "loop", None) is loop
        and not getattr(thread, "stopping", True)
        and thread not in getattr(thread, "idle_workers", (thread,))
    )
