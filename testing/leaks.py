"""A check that nothing is left behind: tasks, descriptors, processes, errors of the loop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

from failsoft.testing.errors import LeakFound
from failsoft.testing.processes import Process, descendants, left_after, open_descriptors
from failsoft.testing.waiting_tasks import describe_task, is_of_test_runner

# How long a process that is killed may take to be gone.
END_TIME = 2.0


class LeakCheck:
    """Hold what there is now against what there is at ``check``. Make it in the running loop.

    Errors that the loop reports are kept for the check, where nobody else hears of them.
    Descriptors and processes are checked on Linux.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._errors: list[str] = []
        self._is_checking = False
        self._handler = self._loop.get_exception_handler()
        self._loop.set_exception_handler(self._hear)
        self._tasks = asyncio.all_tasks()
        self._processes = set(descendants())
        self._watched: set[Process] = set()
        self._descriptors = open_descriptors()

    def note_processes(self) -> None:
        """Take note of the processes that there are now: each has to have ended at the check.

        Where their parent ends and they don't, they could not be found any more.
        """
        self._watched |= set(descendants()) - self._processes

    async def check(self) -> None:
        """Raise LeakFound where something is left; what has just ended gets a turn to do so."""
        self._is_checking = True
        await asyncio.sleep(0)
        gc.collect()  # a lost future reports its error when it is collected
        await asyncio.sleep(0)
        self.end()
        tasks = self._left_tasks()
        descriptors = self._left_descriptors()
        processes = self._left_processes()
        if tasks or descriptors or processes or self._errors:
            raise LeakFound(
                tasks=tasks, descriptors=descriptors, processes=processes, errors=self._errors
            )

    def end(self) -> None:
        """Check nothing; let the loop report errors as before. A second time does nothing."""
        if self._loop.get_exception_handler() == self._hear:
            self._loop.set_exception_handler(self._handler)

    def _hear(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if self._handler is not None and not self._is_checking:
            self._handler(loop, context)  # a test runner's, which fails the test itself
            return
        error = context.get("exception")
        self._errors.append(f"{context['message']}: {error!r}" if error else context["message"])

    def _left_tasks(self) -> list[str]:
        own = {asyncio.current_task()}
        left = asyncio.all_tasks() - self._tasks - own
        return [describe_task(task).strip() for task in left if not is_of_test_runner(task)]

    def _left_descriptors(self) -> list[str]:
        now = open_descriptors()
        left = {n: what for n, what in sorted(now.items()) if self._descriptors.get(n) != what}
        for number in self._replaced_by_uvloop(left, now):
            del left[number]
        return [f"{number}: {what}" for number, what in left.items()]

    def _replaced_by_uvloop(self, left: dict[int, str], now: dict[int, str]) -> list[int]:
        """Give those of ``left`` that are the loop's: uvloop has new sockets for each run.

        A test and its fixtures are a run each. Which they are can't be asked: as many as are
        gone, the two for signals at most, the youngest.
        """
        if isinstance(self._loop, asyncio.BaseEventLoop):
            return []
        gone = {what for what in self._descriptors.values() if _is_socket(what)} - {*now.values()}
        new = [number for number, what in left.items() if _is_socket(what)]
        new.sort(key=lambda number: int(left[number][len("socket:[") : -1]), reverse=True)
        return new[: min(len(gone), 2)]

    def _left_processes(self) -> list[str]:
        suspects = (self._watched | set(descendants())) - self._processes
        return sorted(map(str, left_after(suspects, END_TIME)))


def _is_socket(what: str) -> bool:
    return what.startswith("socket:[")


@contextlib.asynccontextmanager
async def no_leaks() -> AsyncIterator[LeakCheck]:
    """Raise LeakFound at the end of the block where something is left that wasn't there before.

    A block that ends with an error isn't checked: what is left would follow from that.
    """
    check = LeakCheck()
    try:
        yield check
        await check.check()
    finally:
        check.end()
