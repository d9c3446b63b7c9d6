"""Watch that no process is left behind."""

from __future__ import annotations

import asyncio

import psutil


class ProcessWatch:
    """Remember the processes that are below ``root`` from now on, to look for survivors later."""

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)
        self._before = set(self._root.children(recursive=True))
        self._seen: set[psutil.Process] = set()

    def look(self) -> None:
        """Remember those that are there now."""
        self._seen |= set(self._root.children(recursive=True)) - self._before

    async def survivors(self, seconds: float) -> list[int]:
        """Give the pids that still live ``seconds`` from now; sooner, where none does."""
        self.look()
        _, alive = await asyncio.to_thread(psutil.wait_procs, list(self._seen), timeout=seconds)
        return sorted(process.pid for process in alive)
