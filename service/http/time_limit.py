"""A time limit for a block: there is one to each body, and to each event of a stream."""

from __future__ import annotations

import asyncio
from types import TracebackType


class TimeLimit:
    """Cancel the block after ``seconds``, and raise TimeoutError from it.

    As ``asyncio.timeout``, at half of its cost: it can't be moved, nor entered by ``async``.
    """

    __slots__ = ("_cancelling", "_is_over", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = task.get_loop().call_later(self._seconds, self._end)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if not self._is_over:
            return
        # Cancelled by the limit alone, and not by somebody else as well.
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()
