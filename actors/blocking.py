"""Watch the loop from outside: name the actor whose handler holds it, and the line where."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog

log = structlog.get_logger("failsoft.actors")

Task = asyncio.Task[Any]


class LoopWatch:
    """Sample, from a thread of its own, which task the loop is at; handlers pay nothing.

    Where one step of an actor's task holds the loop for ``limit`` seconds, a line is logged at
    once, and ``told`` is called in the loop when the step is over, with the actor's path, the
    seconds and the place. Between the tasks' steps the thread only sleeps.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limit: float,
        path_of: Callable[[Task], str | None],
        told: Callable[[str, float, str], object],
    ) -> None:
        self._loop = loop
        self._limit = limit
        self._path_of = path_of
        self._told = told
        self._loop_thread = threading.get_ident()
        self._is_over = threading.Event()
        self._task: Task | None = None  # whose step may be too long
        self._since = 0.0
        # Of which step, by its beginning, and its actor's path and the place.
        self._found: tuple[float, str, str] | None = None
        self._thread = threading.Thread(target=self._run, name="failsoft loop watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._is_over.set()
        self._thread.join()

    # -- in the thread

    def _run(self) -> None:
        while not self._is_over.wait(self._limit / 4):
            try:
                self._sample(time.monotonic())
            except RuntimeError:  # the loop is closed
                return

    def _sample(self, now: float) -> None:
        task = asyncio.current_task(self._loop)
        watched = self._task
        if watched is None:
            if task is not None:
                self._task, self._since = task, now
                # Whatever the task does next comes after this in the loop's queue: while this
                # has not run and the task is still current, it is the same step.
                self._loop.call_soon_threadsafe(self._step_is_over)
        elif task is watched and self._found is None and now - self._since >= self._limit:
            path = self._path_of(task)
            if path is not None:
                place = _place(sys._current_frames().get(self._loop_thread))
                self._found = (self._since, path, place)
                log.warning("loop.blocked", path=path, seconds=now - self._since, place=place)

    # -- in the loop

    def _step_is_over(self) -> None:
        found, self._found = self._found, None
        since, self._task = self._since, None
        if found is not None and found[0] == since:
            self._told(found[1], time.monotonic() - since, found[2])


def _place(frame: FrameType | None) -> str:
    """Name the innermost line that is not of an installed library, where there is one."""
    lines = traceback.extract_stack(frame) if frame is not None else []
    for line in reversed(lines):
        if not line.filename.startswith((sys.prefix, sys.base_prefix, "<")):
            return f"{line.filename}:{line.lineno} in {line.name}"
    return f"{lines[-1].filename}:{lines[-1].lineno}" if lines else ""


def is_in_real_time(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether the loop's clock is the machine's."""
    return abs(loop.time() - time.monotonic()) < 1
