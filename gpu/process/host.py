"""The host of a service's worker processes: it has them made, and ends them all."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Sequence

import msgspec

from failsoft.gpu.process.reaper_process import Child, ReaperProcess


class WorkerHostStatistics(msgspec.Struct, frozen=True):
    """Count a host's processes.

    reaper_pid: None before the first worker is asked for. workers: alive now. waiting: asked for
    and not there yet. asked, reapers: so far.
    """

    reaper_pid: int | None
    workers: int
    waiting: int
    asked: int
    reapers: int


class WorkerHost:
    """Make worker processes, through a reaper that is started when it is first needed.

    One host belongs to one event loop. It needs Linux 5.4 or later. A reaper that dies takes its
    workers with it, and is replaced when the next worker is asked for.
    """

    def __init__(self) -> None:
        self._reapers: list[ReaperProcess] = []
        self._where: dict[int, ReaperProcess] = {}
        self._ids = itertools.count(1)
        self._asked = 0
        self._started = 0
        self._is_closed = False

    def __repr__(self) -> str:
        now = self.statistics()
        state = "closed" if self._is_closed else f"reaper {now.reaper_pid}"
        return f"<WorkerHost {state}, {now.workers} workers, {now.waiting} waiting>"

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def statistics(self) -> WorkerHostStatistics:
        """Give the counts of now."""
        usable = [reaper for reaper in self._reapers if reaper.is_usable]
        return WorkerHostStatistics(
            reaper_pid=usable[-1].pid if usable else None,
            workers=sum(reaper.workers for reaper in self._reapers),
            waiting=sum(reaper.unborn for reaper in self._reapers),
            asked=self._asked,
            reapers=self._started,
        )

    async def fork(self, preload: Sequence[str], descriptors: Sequence[int], child: Child) -> int:
        """Ask for a worker process; ``child`` is told what becomes of it. Give its number here.

        It gets copies of ``descriptors``. Raises OSError where no process can be asked for.
        """
        if self._is_closed:
            raise OSError("the host of worker processes is closed")
        reaper = self._usable_reaper()
        id = next(self._ids)
        self._asked += 1
        try:
            reaper.fork(id, preload, descriptors, child)
        except BlockingIOError:
            raise OSError("the parent of all workers takes no more requests") from None
        self._where[id] = reaper
        return id

    def withdraw(self, id: int, *, template_is_hung: bool = False) -> None:
        """Take back the request for a worker that isn't there yet."""
        if id in self._where:
            self._where[id].withdraw(id, template_is_hung=template_is_hung)

    def forget(self, id: int) -> None:
        """Note that a worker is gone."""
        self._where.pop(id, None)

    async def aclose(self) -> None:
        """End the reaper and every worker; return when they are gone. Idempotent."""
        self._is_closed = True
        for reaper in self._reapers:
            await reaper.aclose()
        self._reapers.clear()

    def _usable_reaper(self) -> ReaperProcess:
        self._reapers = [reaper for reaper in self._reapers if not reaper.is_gone]
        for reaper in self._reapers:
            if reaper.is_usable:
                return reaper
        if sys.platform != "linux":
            raise OSError("worker processes need Linux 5.4 or later")
        reaper = ReaperProcess(asyncio.get_running_loop())
        self._started += 1
        self._reapers.append(reaper)
        return reaper
