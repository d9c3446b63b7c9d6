"""The service's handle of one worker process: start it, talk to it, and know when it is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket

import structlog

from failsoft.gpu.handle.listener import WorkerListener, describe_status
from failsoft.gpu.handle.own_process import OwnProcess
from failsoft.gpu.process.host import WorkerHost
from failsoft.gpu.process.links import OutputLink, WireLink
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.errors import ModelLoadingFailed
from failsoft.messages.frames import (
    Hello,
    LoadFailed,
    Report,
)

_log = structlog.get_logger("failsoft.worker")

# How long the reaper may take to tell the status of a process that has ended.
_STATUS_LIMIT = 2.0
# A process whose wire has closed is about to be gone, or must be made so.
_WIRELESS_LIMIT = 1.0


class WorkerProcess(OwnProcess):
    """Run one worker in a process of its own."""

    _home = "process"

    def __init__(self, spec: WorkerSpec, host: WorkerHost, listener: WorkerListener) -> None:
        super().__init__(spec, listener)
        self._host = host
        self._birth: int | None = None
        self._output: OutputLink | None = None
        self._pidfd: int | None = None
        self._is_dead = False
        self._is_orphan = False

    def __repr__(self) -> str:
        return f"<WorkerProcess {self._pid} {self._state}, {len(self._running)} running>"

    async def _make(self) -> None:
        spec = self._spec
        ours, theirs = socket.socketpair()
        self._wire = WireLink(self._loop, ours, self._on_report, self._on_wire_broken)
        with theirs:
            read_end, write_end = os.pipe()
            self._output = OutputLink(self._loop, read_end, self._on_line)
            try:
                self._wire.send(self._load_order())
                ends = (theirs.fileno(), write_end)
                self._birth = await self._host.fork(spec.preload, ends, self)
            finally:
                os.close(write_end)

    def _kill(self) -> None:
        if self._pidfd is not None:
            self._signal(signal.SIGKILL)
        elif self._birth is not None:
            self._host.withdraw(self._birth, template_is_hung=self._was_hung)

    def _signal(self, number: signal.Signals) -> None:
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _can_be_asked(self) -> bool:
        return self._pidfd is not None

    # -- what the worker says

    def _on_report(self, report: Report) -> None:
        if isinstance(report, Hello):
            # It may be heard before its parent has told of it.
            self._pid = self._pid or report.pid
        super()._on_report(report)

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

    def _part(self) -> None:
        if self._host.is_closed:
            self._was_asked = True
            self._reason = self._reason or "its host was closed"
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
        if self._birth is not None:
            self._host.forget(self._birth)

    def _describe_end(self) -> str:
        is_cut_short = self._wire is not None and self._wire.is_cut_short
        return describe_status(self._status) + (", in the middle of a frame" * is_cut_short)
