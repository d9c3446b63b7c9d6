"""The service's handle of a worker in threads of its own process: it can only be abandoned."""

from __future__ import annotations

import contextlib
import socket
import threading

import structlog

from failsoft.gpu.handle.followed import ASKED, FollowedWorker
from failsoft.gpu.handle.listener import WorkerGone, WorkerListener
from failsoft.gpu.handle.worker_threads import WORKER_THREADS
from failsoft.gpu.process.links import WireLink
from failsoft.gpu.serving.serve_in_thread import serve_in_thread
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.errors import ModelLoadingFailed
from failsoft.messages.frames import (
    Failed,
    LoadFailed,
    Report,
    Stop,
)

_log = structlog.get_logger("failsoft.worker")

# How long a thread may take that has closed its wire, which is the last thing it does.
_END_LIMIT = 1.0
_STICKY = (
    "its device can't be used any more, and a thread can't cure that, since the device is the "
    "whole process's: run this engine in a process (run_in='process'), and restart the service"
)


class WorkerThread(FollowedWorker):
    """Run one worker in threads of this process.

    path: the actor's, for the lines of its log.
    """

    _home = "thread"

    def __init__(self, spec: WorkerSpec, listener: WorkerListener, path: str) -> None:
        super().__init__(spec, listener)
        self._path = path
        self._end: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._was_abandoned = False

    def __repr__(self) -> str:
        abandoned = ", abandoned" * self._was_abandoned
        running = len(self._running)
        return f"<WorkerThread {self._path} {self._state}{abandoned}, {running} running>"

    @property
    def pid(self) -> int | None:
        """Give None: it has no process of its own."""
        return None

    async def _make(self) -> None:
        abandoned = WORKER_THREADS.statistics().abandoned
        if abandoned >= self._spec.most_abandoned:
            self._loop.call_soon(self._refuse, abandoned)
        else:
            self._start()

    def _refuse(self, abandoned: int) -> None:
        reason = (
            f"{abandoned} threads of workers that hung are still there, and each may hold a "
            "model, so no other is started. Restart the service, and run engines that hang in a "
            "process (run_in='process'), which can be killed."
        )
        if self._state == "starting":
            self._tell(LoadFailed(ModelLoadingFailed(reason).info))
        self._finish(reason)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._end = ours
        self._wire = WireLink(self._loop, ours, self._on_report, self._on_wire_broken)
        thread = threading.Thread(
            target=serve_in_thread,
            args=(theirs, self._path),
            name=f"{self._path} worker",
            daemon=True,  # one that is stuck must not hold up the interpreter's end
        )
        try:
            thread.start()
        except RuntimeError:
            theirs.close()
            raise
        self._thread = thread
        WORKER_THREADS.started(thread)
        self._wire.send(self._load_order())

    def kill(self, reason: str) -> None:
        """Have it leave at its next step, or abandon it. ``reason`` is told, unless one is known.

        One that hangs is abandoned at once; others after ``term_grace``.
        """
        if self._state == "new" or self._is_killed or self._gone.is_set():
            return
        self._is_killed = True
        self._state = "killed"
        self._reason = self._reason or reason
        if self._end is not None:
            with contextlib.suppress(OSError):
                self._end.shutdown(socket.SHUT_WR)
        self._later(0.0 if self._was_hung else self._spec.term_grace, self._finish)

    def _ask_to_end(self) -> None:
        if self._state != "ready":
            self.kill(ASKED)
            return
        self._state = "stopping"
        self._reason = self._reason or ASKED
        self.send(Stop())
        self._later(self._spec.stop_grace, lambda: self.kill(ASKED))

    # -- what the worker says

    def _on_report(self, report: Report) -> None:
        if isinstance(report, Failed) and report.sticky:
            self._reason = self._reason or _STICKY
        super()._on_report(report)

    def _on_wire_broken(self, reason: str) -> None:
        if self._wire is not None and self._wire.has_ended:
            self._loop.call_soon(self._finish, "its thread has ended; see the log")
        else:
            self.kill(reason)

    # -- what becomes of the thread

    def _tell_end(self, reason: str | None) -> WorkerGone:
        return WorkerGone(
            pid=None,
            reason=self._reason or reason or "it was told to leave",
            exit_status=None,
            was_hung=self._was_hung,
            was_asked=self._was_asked,
            was_abandoned=self._was_abandoned,
        )

    def _part(self) -> None:
        has_left = self._wire is not None and self._wire.has_ended
        if self._wire is not None and self._end is not None:
            # What it says from now on goes nowhere: one that never stops is not heard for ever.
            with contextlib.suppress(OSError):
                self._end.shutdown(socket.SHUT_RDWR)
            self._wire.drain()
            self._wire.close()
        if self._thread is not None:
            self._thread.join(_END_LIMIT if has_left else 0.0)
            self._count(self._thread)

    def _count(self, thread: threading.Thread) -> None:
        self._was_abandoned = thread.is_alive()
        if not self._was_abandoned:
            WORKER_THREADS.ended(thread)
            return
        WORKER_THREADS.abandon(thread)
        abandoned = WORKER_THREADS.statistics().abandoned
        said = "a worker's thread is abandoned: it goes on until its next step, and keeps its model"
        _log.warning(said, path=self._path, reason=self._reason, abandoned=abandoned)
