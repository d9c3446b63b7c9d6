"""A guard ends a test from outside, with an error that tells why."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from failsoft.testing.virtual_clock import VirtualClock


class Guard:
    """Run a test; let others interrupt it: the loop that is stuck, the system that failed.

    The test is cancelled, so that it cleans up, and then fails with the error it was interrupted
    with, at the line where it was.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[object] | None = None
        self._error: Exception | None = None
        self._is_over = False

    def interrupt(self, error: Exception) -> None:
        """End the test with ``error``; where it has yet to begin, as soon as it does."""
        if self._error is None and not self._is_over:
            self._error = error
            if self._task is not None:
                self._task.cancel()

    def has_raised(self, error: Exception) -> bool:
        """Tell whether the test has ended with ``error``."""
        return self._is_over and error is self._error

    async def run(self, test: Callable[[], Awaitable[object]], *, is_virtual: bool) -> None:
        """Run ``test`` to its end. Raise what it raises, or what it was interrupted with."""
        self._task = asyncio.current_task()
        assert self._task is not None
        self._watch(asyncio.get_running_loop(), is_virtual)
        ended: BaseException | None = None
        try:
            if self._error is None:
                await test()
        except BaseException as raised:
            if self._error is None:
                raise
            ended = raised
        finally:
            self._is_over = True
        if self._error is not None:
            self._task.uncancel()
            raise self._error.with_traceback(ended.__traceback__ if ended else None)

    def _watch(self, loop: asyncio.AbstractEventLoop, is_virtual: bool) -> None:
        if isinstance(loop, VirtualClock):
            loop.when_stuck = self.interrupt
        elif is_virtual:
            raise RuntimeError(
                "the test is to run in virtual time, and this loop is real: where an async fixture "
                "of a wider scope holds it, give that the scope of a function; where the test "
                "names its own anyio_backend, take that away"
            )
