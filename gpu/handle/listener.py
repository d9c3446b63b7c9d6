"""What a worker tells: its reports, its lines, and its end."""

from __future__ import annotations

import signal
from typing import Protocol

import msgspec

from failsoft.gpu.process.worker_log import WorkerLine
from failsoft.messages.frames import Report


class WorkerGone(msgspec.Struct, frozen=True):
    """Tell how a worker ended.

    pid: None where no process was ever made. exit_status: as in ``subprocess``, negative for a
    signal; None where nobody could tell, and for a thread. was_hung: it was killed because it
    didn't move. was_asked: ``stop()`` or the closing of the host was the reason.
    was_abandoned: its thread goes on, and nobody listens to it.
    """

    pid: int | None
    reason: str
    exit_status: int | None
    was_hung: bool
    was_asked: bool
    was_abandoned: bool = False


class WorkerListener(Protocol):
    """Be told what a worker says and does. Calls come on the event loop, and must not block."""

    def on_report(self, report: Report) -> None:
        """Take in a report."""
        ...

    def on_line(self, line: WorkerLine) -> None:
        """Take in a line of its log or of what it printed. A thread's go their own way."""
        ...

    def on_gone(self, gone: WorkerGone) -> None:
        """Learn that it has ended: once, and last of all.

        A process's memory is free then; a thread's is where it wasn't abandoned.
        """
        ...


def describe_status(status: int | None) -> str:
    """Say in words how a process ended."""
    if status is None:
        return "it ended with the parent of all workers"
    if status >= 0:
        return f"it exited with status {status}"
    try:
        return f"it was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was killed by signal {-status}"
