"""The threads of this process that are workers: those in use, and those that were abandoned."""

from __future__ import annotations

import threading

import msgspec


class WorkerThreadStatistics(msgspec.Struct, frozen=True):
    """Count the worker threads of a process.

    running: in use. abandoned: given up, and not ended yet. abandoned_in_all: so far.
    """

    running: int
    abandoned: int
    abandoned_in_all: int


class WorkerThreads:
    """Know the worker threads of a process, since nothing else bounds how many are left behind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[threading.Thread] = set()
        self._abandoned: set[threading.Thread] = set()
        self._abandoned_in_all = 0

    def __repr__(self) -> str:
        now = self.statistics()
        return f"<WorkerThreads {now.running} running, {now.abandoned} abandoned>"

    def statistics(self) -> WorkerThreadStatistics:
        """Give the counts of now."""
        with self._lock:
            self._abandoned = {thread for thread in self._abandoned if thread.is_alive()}
            return WorkerThreadStatistics(
                len(self._running), len(self._abandoned), self._abandoned_in_all
            )

    def started(self, thread: threading.Thread) -> None:
        """Count a thread as running."""
        with self._lock:
            self._running.add(thread)

    def ended(self, thread: threading.Thread) -> None:
        """Count a thread no more."""
        with self._lock:
            self._running.discard(thread)

    def abandon(self, thread: threading.Thread) -> None:
        """Count a thread as abandoned until it ends."""
        with self._lock:
            self._running.discard(thread)
            self._abandoned.add(thread)
            self._abandoned_in_all += 1


WORKER_THREADS = WorkerThreads()
"""Those of this process: they outlive the system, and the event loop, that abandoned them."""


def worker_thread_statistics() -> WorkerThreadStatistics:
    """Count the worker threads of this process."""
    return WORKER_THREADS.statistics()
