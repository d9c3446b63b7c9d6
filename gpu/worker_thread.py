"""The service's handle of a worker in threads of its own process: it can only be abandoned."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable

import structlog

from failsoft.gpu.links import WireLink
from failsoft.gpu.liveness import Liveness
from failsoft.gpu.serve_in_thread import serve_in_thread
from failsoft.gpu.worker_listener import WorkerGone, WorkerListener
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.gpu.worker_threads import WORKER_THREADS
from failsoft.messages.errors import ModelLoadingFailed
from failsoft.messages.frames import (
    Command,
    Done,
    Failed,
    Load,
    LoadFailed,
    Ready,
    Report,
    Run,
    Stop,
)

_log = structlog.get_logger("failsoft.worker")

# How long a thread may take that has closed its wire, which is the last thing it does.
_END_LIMIT = 1.0
_ASKED = "it was asked to stop"
_STICKY = (
    "its device can't be used any more, and a thread can't cure that, since the device is the "
    "whole process's: run this engine in a process (run_in='process'), and restart the service"
)


class WorkerThread:
    """Run one worker in threads. Whatever happens to it, ``on_gone`` comes once and last.

    path: the actor's, for the lines of its log.
    """

    def __init__(self, spec: WorkerSpec, listener: WorkerListener, path: str) -> None:
        self._spec = spec
        self._listener = listener
        self._path = path
        self._state = "new"
        self._wire: WireLink | None = None
        self._end: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._reason: str | None = None
        self._was_hung = False
        self._was_asked = False
        self._was_abandoned = False
        self._is_stopping = False
        self._running: set[int] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._gone = asyncio.Event()

    def __repr__(self) -> str:
        abandoned = ", abandoned" * self._was_abandoned
        running = len(self._running)
        return f"<WorkerThread {self._path} {self._state}{abandoned}, {running} running>"

    @property
    def pid(self) -> int | None:
        """Give None: it has no process of its own."""
        return None

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def start(self) -> None:
        """Start the thread, and tell it what to load. What becomes of it, the listener learns.

        Raises RuntimeError where it was started before.
        """
        if self._state != "new":
            raise RuntimeError("a worker thread is started once; make another one")
        self._state = "starting"
        self._loop = asyncio.get_running_loop()
        self._liveness = Liveness(self._spec, self._loop.time())
        self._check_later()
        abandoned = WORKER_THREADS.statistics().abandoned
        if abandoned >= self._spec.most_abandoned:
            self._loop.call_soon(self._refuse, abandoned)
            return
        try:
            self._start()
        except (OSError, RuntimeError) as error:
            self._loop.call_soon(self._finish, f"no thread could be made: {error}")

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
        spec = self._spec
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
        self._wire.send(
            Load(spec.engine, spec.options, None, spec.heartbeat_every, spec.fault_hooks)
        )

    def send(self, command: Command) -> None:
        """Send ``command``; never wait. No-op where the thread is not there.

        Raises WireError where it is over the wire's bound.
        """
        if self._wire is None or self._gone.is_set():
            return
        self._wire.send(command, at_once=not self._running)
        if isinstance(command, Run):
            self._running.add(command.id)
            self._liveness.begin(self._loop.time())

    def kill(self, reason: str) -> None:
        """Have it leave at its next step, or abandon it. ``reason`` is told, unless one is known.

        One that hangs is abandoned at once; others after ``term_grace``.
        """
        if self._state in ("new", "killed") or self._gone.is_set():
            return
        self._state = "killed"
        self._reason = self._reason or reason
        if self._end is not None:
            with contextlib.suppress(OSError):
                self._end.shutdown(socket.SHUT_WR)
        self._later(0.0 if self._was_hung else self._spec.term_grace, self._finish)

    async def stop(self) -> None:
        """Have the worker end, as ``ask_to_stop`` does; return when it has, or is abandoned.

        Idempotent; where the wait is cancelled, it ends all the same.
        """
        self.ask_to_stop()
        await self._gone.wait()

    def ask_to_stop(self) -> None:
        """Have the worker end what it has in hand, within ``stop_grace``; don't wait.

        Then it is killed, as far as a thread can be. Idempotent.
        """
        if self._state == "new":
            self._state = "gone"
            self._gone.set()
        if self._gone.is_set() or self._is_stopping:
            return
        self._is_stopping = True
        self._was_asked = self._reason is None
        if self._state == "ready":
            self._state = "stopping"
            self._reason = self._reason or _ASKED
            self.send(Stop())
            self._later(self._spec.stop_grace, lambda: self.kill(_ASKED))
        else:
            self.kill(_ASKED)

    # -- what the worker says

    def _on_report(self, report: Report) -> None:
        self._liveness.heed(report, self._loop.time())
        match report:
            case Done() | Failed():
                self._running.discard(report.id)
                if isinstance(report, Failed) and report.sticky:
                    self._reason = self._reason or _STICKY
            case Ready():
                self._state = "ready" if self._state == "starting" else self._state
            case LoadFailed():
                self._reason = self._reason or f"its load failed: {report.error.message}"
        self._tell(report)

    def _tell(self, report: Report) -> None:
        # A listener that fails must not leave a thread that nobody listens to.
        try:
            self._listener.on_report(report)
        except Exception:
            _log.exception("a worker's report could not be handled", path=self._path)
            self.kill("its reports could not be handled")

    def _on_wire_broken(self, reason: str) -> None:
        if self._wire is not None and self._wire.has_ended:
            self._loop.call_soon(self._finish, "its thread has ended; see the log")
        else:
            self.kill(reason)

    # -- what becomes of the thread

    def _finish(self, reason: str = "it was told to leave") -> None:
        if self._gone.is_set():
            return
        self._part()
        self._state = "gone"
        self._gone.set()
        self._listener.on_gone(
            WorkerGone(
                pid=None,
                reason=self._reason or reason,
                exit_status=None,
                was_hung=self._was_hung,
                was_asked=self._was_asked,
                was_abandoned=self._was_abandoned,
            )
        )

    def _part(self) -> None:
        """Take in what the worker said last, and have nothing more to do with it."""
        has_left = self._wire is not None and self._wire.has_ended
        if self._wire is not None and self._end is not None:
            # What it says from now on goes nowhere: one that never stops is not heard for ever.
            with contextlib.suppress(OSError):
                self._end.shutdown(socket.SHUT_RDWR)
            self._wire.drain()
            self._wire.close()
        for timer in (self._check_timer, *self._timers):
            timer.cancel()
        self._timers.clear()
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

    # -- time

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(delay, call))

    def _check_later(self) -> None:
        self._check_timer = self._loop.call_later(self._liveness.check_every, self._check)

    def _check(self) -> None:
        reason = self._liveness.check(self._loop.time())
        if reason is not None and self._state != "killed":
            self._was_hung = True
            self.kill(reason)
        self._check_later()
