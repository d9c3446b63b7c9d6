"""The service's handle of one worker process: start it, talk to it, and know when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable

import structlog

from failsoft.gpu.links import OutputLink, WireLink
from failsoft.gpu.liveness import Liveness
from failsoft.gpu.worker_host import WorkerHost
from failsoft.gpu.worker_listener import WorkerGone, WorkerListener, describe_status
from failsoft.gpu.worker_log import WorkerLine
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.errors import ModelLoadingFailed
from failsoft.messages.frames import (
    WIRE_VERSION,
    Command,
    Done,
    Failed,
    Hello,
    Load,
    LoadFailed,
    Ready,
    Report,
    Run,
    Stop,
)

_log = structlog.get_logger("failsoft.worker")

# How long the reaper may take to tell the status of a process that has ended.
_STATUS_LIMIT = 2.0
# A process whose wire has closed is about to be gone, or must be made so.
_WIRELESS_LIMIT = 1.0
_ASKED = "it was asked to stop"


class WorkerProcess:
    """Run one worker process. Whatever happens to it, ``on_gone`` comes once and last."""

    def __init__(self, spec: WorkerSpec, host: WorkerHost, listener: WorkerListener) -> None:
        self._spec = spec
        self._host = host
        self._listener = listener
        self._state = "new"
        self._birth: int | None = None
        self._wire: WireLink | None = None
        self._output: OutputLink | None = None
        self._pid: int | None = None
        self._pidfd: int | None = None
        self._reason: str | None = None
        self._status: int | None = None
        self._is_dead = False
        self._is_orphan = False
        self._is_killed = False
        self._was_hung = False
        self._is_stopping = False
        self._was_asked = False
        self._running: set[int] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._gone = asyncio.Event()

    def __repr__(self) -> str:
        return f"<WorkerProcess {self._pid} {self._state}, {len(self._running)} running>"

    @property
    def pid(self) -> int | None:
        """Give the process id; None before it is known."""
        return self._pid

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def start(self) -> None:
        """Ask for the process, and tell it what to load. What becomes of it, the listener learns.

        Raises RuntimeError where it was started before.
        """
        if self._state != "new":
            raise RuntimeError("a worker process is started once; make another one")
        self._state = "starting"
        self._loop = asyncio.get_running_loop()
        self._liveness = Liveness(self._spec, self._loop.time())
        self._check_later()
        try:
            await self._ask()
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            self._loop.call_soon(self._finish, f"no process could be made: {said}")

    async def _ask(self) -> None:
        spec = self._spec
        ours, theirs = socket.socketpair()
        self._wire = WireLink(self._loop, ours, self._on_report, self._on_wire_broken)
        with theirs:
            read_end, write_end = os.pipe()
            self._output = OutputLink(self._loop, read_end, self._on_line)
            try:
                load = Load(
                    spec.engine,
                    spec.options,
                    spec.threads,
                    spec.heartbeat_every,
                    spec.fault_hooks,
                )
                self._wire.send(load)
                ends = (theirs.fileno(), write_end)
                self._birth = await self._host.fork(spec.preload, ends, self)
            finally:
                os.close(write_end)

    def send(self, command: Command) -> None:
        """Send ``command``; never wait. No-op where the process is not there.

        Raises WireError where it is over the wire's bound.
        """
        if self._wire is None or self._gone.is_set():
            return
        # A worker that waits gets it at once; one that is busy, with the others of this turn.
        self._wire.send(command, at_once=not self._running)
        if isinstance(command, Run):
            self._running.add(command.id)
            self._liveness.begin(self._loop.time())

    def kill(self, reason: str) -> None:
        """End the process now, whatever state it is in. ``reason`` is told, unless one is known."""
        if self._state == "new" or self._gone.is_set():
            return
        self._reason = self._reason or reason
        self._is_killed = True
        self._state = "killed"
        if self._pidfd is not None:
            self._signal(signal.SIGKILL)
        elif self._birth is not None:
            self._host.withdraw(self._birth, template_is_hung=self._was_hung)

    def _signal(self, number: signal.Signals) -> None:
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def stop(self) -> None:
        """Have the worker end, as ``ask_to_stop`` does; return when the process is gone.

        Idempotent; where the wait is cancelled, the process ends all the same.
        """
        self.ask_to_stop()
        await self._gone.wait()

    def ask_to_stop(self) -> None:
        """Have the worker end what it has in hand, within ``stop_grace``; don't wait.

        It is told to, then sent SIGTERM, and ``term_grace`` later SIGKILL. Idempotent.
        """
        if self._state == "new":
            self._state = "gone"
            self._gone.set()
        if self._gone.is_set():
            return
        if not self._is_stopping:
            self._is_stopping = True
            self._was_asked = self._reason is None
            self._ask_to_end()

    def _ask_to_end(self) -> None:
        if self._pidfd is None:
            self.kill(_ASKED)
            return
        self._state = "stopping"
        self._reason = self._reason or _ASKED
        self.send(Stop())
        self._later(self._spec.stop_grace, self._terminate)

    def _terminate(self) -> None:
        """Ask the process itself: what a library has set up to be done at its end is done."""
        self._signal(signal.SIGTERM)
        self._later(self._spec.term_grace, lambda: self.kill(_ASKED))

    # -- what the worker says

    def _on_report(self, report: Report) -> None:
        self._liveness.heed(report, self._loop.time())
        match report:
            case Done() | Failed():
                self._running.discard(report.id)
            case Ready():
                self._state = "ready" if self._state == "starting" else self._state
            case LoadFailed():
                self._reason = self._reason or f"its load failed: {report.error.message}"
            case Hello():
                # It may be heard before its parent has told of it.
                self._pid = self._pid or report.pid
                if report.wire_version != WIRE_VERSION:
                    self.kill(
                        f"it speaks version {report.wire_version} of the wire, not {WIRE_VERSION}"
                    )
                    return
        self._tell(report)

    def _tell(self, report: Report) -> None:
        # A listener that fails must not leave a process that nobody listens to.
        try:
            self._listener.on_report(report)
        except Exception:
            _log.exception("a worker's report could not be handled", pid=self._pid)
            self.kill("its reports could not be handled")

    def _on_line(self, line: WorkerLine) -> None:
        try:
            self._listener.on_line(line)
        except Exception:
            _log.exception("a worker's log line could not be handled", pid=self._pid)

    def _on_wire_broken(self, reason: str) -> None:
        if self._wire is not None and self._wire.has_ended:
            self._later(_WIRELESS_LIMIT, lambda: self.kill(reason))
        else:
            self.kill(reason)

    # -- what becomes of the process

    def on_born(self, pid: int, pidfd: int) -> None:
        """Learn which process it is. ``pidfd`` stands for it alone, even where pids come again."""
        self._pid = pid
        self._pidfd = pidfd
        self._loop.add_reader(pidfd, self._on_dead)
        if self._is_killed:
            self.kill("")

    def on_not_born(self, reason: str, *, is_load_failure: bool) -> None:
        """Learn that there is no process and never was."""
        if is_load_failure and not self._is_killed:
            self._tell(LoadFailed(ModelLoadingFailed(reason).info))
        self._finish(reason)

    def on_exited(self, status: int | None) -> None:
        """Learn the process's status from its parent."""
        self._status = status
        self._is_orphan = status is None
        if status is not None or self._is_dead:
            self._finish()

    def _on_dead(self) -> None:
        """Learn from the kernel that the process has ended."""
        assert self._pidfd is not None
        self._loop.remove_reader(self._pidfd)
        self._is_dead = True
        # Where the reaper is gone, and this process is the parent instead.
        with contextlib.suppress(OSError):
            ended = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
            if ended is not None:
                killed = ended.si_code != os.CLD_EXITED
                self._status = -ended.si_status if killed else ended.si_status
        if self._is_orphan or self._status is not None:
            self._finish()
        else:
            self._later(_STATUS_LIMIT, self._finish)

    def _finish(self, reason: str | None = None) -> None:
        if self._gone.is_set():
            return
        if self._host.is_closed:
            self._was_asked = True
            self._reason = self._reason or "its host was closed"
        self._close()
        self._state = "gone"
        self._gone.set()
        self._listener.on_gone(
            WorkerGone(
                pid=self._pid,
                reason=self._reason or reason or self._describe_end(),
                exit_status=self._status,
                was_hung=self._was_hung,
                was_asked=self._was_asked,
            )
        )

    def _close(self) -> None:
        """Take in what the process said last, and close all that stood for it."""
        if self._wire is not None:
            self._wire.drain()
        if self._output is not None:
            self._output.close()
        if self._wire is not None:
            self._wire.close()
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        for timer in (self._check_timer, *self._timers):
            timer.cancel()
        self._timers.clear()
        if self._birth is not None:
            self._host.forget(self._birth)

    def _describe_end(self) -> str:
        is_cut_short = self._wire is not None and self._wire.is_cut_short
        return describe_status(self._status) + (", in the middle of a frame" * is_cut_short)

    # -- time

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(delay, call))

    def _check_later(self) -> None:
        self._check_timer = self._loop.call_later(self._liveness.check_every, self._check)

    def _check(self) -> None:
        reason = self._liveness.check(self._loop.time())
        if reason is not None and not self._is_killed:
            self._was_hung = True
            self.kill(reason)
        self._check_later()
