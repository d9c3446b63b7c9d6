"""What loops with virtual time have in common: when the clock may jump, and when never.

How a loop runs, and how it can be seen that nothing in it can run, is its own.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
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


class VirtualClock(asyncio.AbstractEventLoop):
    """Give a loop, whose other base this is to be, a clock in virtual seconds from 0.

    max_jumps: jumps in one run, of a test or a fixture, after which it counts as running for
        ever. patience: real seconds that calls in threads may take.
    when_stuck: called with the error where the run can't go on, instead of raising it from the
        run. It has to make something run, such as by cancelling a task. It is called once.
    """

    def __init__(self, *, max_jumps: int, patience: float) -> None:
        super().__init__()
        self._virtual_now = 0.0
        self._max_jumps = max_jumps
        self._patience = patience
        self._jumps = 0
        self._thread_calls = 0
        self.when_stuck: Callable[[WouldHang], object] | None = None

    def time(self) -> float:
        return self._virtual_now

    def run_forever(self) -> None:
        self._jumps = 0
        super().run_forever()

    # -- what the loop has to tell

    def _wakes_within(self, seconds: float) -> bool:
        """Wait so many real seconds at most; tell whether something can run."""
        raise NotImplementedError

    def _first_timer(self) -> float:
        """Give the time of the first timer, infinity where there is none."""
        raise NotImplementedError

    def _real_waits(self) -> Sequence[int]:
        """Give the descriptors that are waited for, without the loop's own."""
        raise NotImplementedError

    # -- when nothing is ready

    def _go_on(self) -> None:
        """Make it so that something can run at once; raise WouldHang where nothing ever will."""
        if self._wait_for_threads() or self._wakes_within(0):
            return
        when = self._first_timer()
        if descriptors := self._real_waits():
            what = _describe(descriptors)
            self._is_stuck(f"it waits in virtual time for what is real: {what}; {_REMEDY}")
        elif when == math.inf:
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
            self._jumps += 1
            self._jump(when)

    def _jump(self, when: float) -> None:
        self._virtual_now = max(self._virtual_now, when)

    def _is_stuck(self, reason: str) -> None:
        error = WouldHang(reason, describe_tasks(asyncio.all_tasks(self)))
        tell, self.when_stuck = self.when_stuck, None
        self._jumps = 0  # what cleans up may need some
        if tell is not None:
            tell(error)
        if not self._wakes_within(0):
            raise error

    # -- what is real

    def _waits_for_threads(self) -> bool:
        return self._thread_calls > 0 or any(
            _is_busy_worker_of(thread, self) for thread in threading.enumerate()
        )

    def _wait_for_threads(self) -> bool:
        """Wait while calls in threads are under way; tell whether something can run by that."""
        until = time.monotonic() + self._patience
        while self._waits_for_threads():
            if self._wakes_within(_LOOK_EVERY):
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


def _describe(descriptors: Sequence[int]) -> str:
    known = open_descriptors()
    return ", ".join(f"descriptor {number} ({known.get(number, '?')})" for number in descriptors)


def _is_busy_worker_of(thread: threading.Thread, loop: VirtualClock) -> bool:
    """Tell whether anyio has given the thread a call whose result is still to come."""
    return (
        getattr(thread, "loop", None) is loop
        and not getattr(thread, "stopping", True)
        and thread not in getattr(thread, "idle_workers", (thread,))
    )
