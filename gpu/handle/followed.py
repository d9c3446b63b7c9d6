"""What stands for a worker, whether it runs in a process or in a thread."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable
from typing import ClassVar

import structlog

from failsoft.gpu.handle.listener import WorkerGone, WorkerListener
from failsoft.gpu.handle.liveness import Liveness
from failsoft.gpu.process.links import WireLink
from failsoft.gpu.process.worker_log import WorkerLine
from failsoft.gpu.worker_spec import WorkerSpec
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
)

_log = structlog.get_logger("failsoft.worker")

ASKED = "it was asked to stop"


class FollowedWorker(abc.ABC):
    """Start a worker, talk to it, and know when it is gone.

    Whatever happens to it, the listener's ``on_gone`` comes once and last.
    """

    _home: ClassVar[str]

    def __init__(self, spec: WorkerSpec, listener: WorkerListener) -> None:
        self._spec = spec
        self._listener = listener
        self._state = "new"
        self._wire: WireLink | None = None
        self._reason: str | None = None
        self._is_killed = False
        self._was_hung = False
        self._is_stopping = False
        self._was_asked = False
        self._running: set[int] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._gone = asyncio.Event()

    @property
    @abc.abstractmethod
    def pid(self) -> int | None:
        """Give the process id; None before it is known, and where it has no process."""

    @property
    def node(self) -> str | None:
        """Give the address of its machine; None before it is known, and where that is this one."""
        return None

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def start(self) -> None:
        """Have it made, and tell it what to load. What becomes of it, the listener learns.

        Raises RuntimeError where it was started before.
        """
        if self._state != "new":
            raise RuntimeError("a worker is started once; make another one")
        self._state = "starting"
        self._loop = asyncio.get_running_loop()
        self._liveness = Liveness(self._spec, self._loop.time())
        self._check_later()
        try:
            await self._make()
        except (OSError, ValueError, RuntimeError) as error:
            said = getattr(error, "strerror", None) or str(error)
            self._loop.call_soon(self._finish, f"no {self._home} could be made: {said}")

    def send(self, command: Command) -> None:
        """Send ``command``; never wait. No-op where the worker is not there.

        Raises WireError where it is over the wire's bound.
        """
        if self._wire is None or self._gone.is_set():
            return
        self._wire.send(command)
        if isinstance(command, Run):
            self._running.add(command.id)
            self._liveness.begin(self._loop.time())

    @abc.abstractmethod
    def kill(self, reason: str) -> None:
        """End it now, as far as can be. ``reason`` is told, unless one is known."""

    async def stop(self) -> None:
        """Have the worker end, as ``ask_to_stop`` does; return when it is gone.

        Idempotent; where the wait is cancelled, it ends all the same.
        """
        self.ask_to_stop()
        await self._gone.wait()

    def ask_to_stop(self) -> None:
        """Have the worker end what it has in hand, within ``stop_grace``; don't wait.

        Then it is made to end. Idempotent.
        """
        if self._state == "new":
            self._state = "gone"
            self._gone.set()
        if self._gone.is_set() or self._is_stopping:
            return
        self._is_stopping = True
        self._was_asked = self._reason is None
        self._ask_to_end()

    # -- what the worker says

    def _on_report(self, report: Report) -> None:
        if isinstance(report, Hello) and report.wire_version != WIRE_VERSION:
            speaks = f"it speaks version {report.wire_version} of the wire"
            self.kill(f"{speaks}, not {WIRE_VERSION}")
            return
        self._liveness.heed(report, self._loop.time())
        match report:
            case Done() | Failed():
                self._running.discard(report.id)
            case Ready():
                self._state = "ready" if self._state == "starting" else self._state
            case LoadFailed():
                self._reason = self._reason or f"its load failed: {report.error.message}"
        self._tell(report)

    def _tell(self, report: Report) -> None:
        # A listener that fails must not leave a worker that nobody listens to.
        try:
            self._listener.on_report(report)
        except Exception:
            _log.exception("a worker's report could not be handled", worker=repr(self))
            self.kill("its reports could not be handled")

    def _on_line(self, line: WorkerLine) -> None:
        try:
            self._listener.on_line(line)
        except Exception:
            _log.exception("a worker's log line could not be handled", worker=repr(self))

    def _load_order(self) -> Load:
        spec = self._spec
        return Load(spec.engine, spec.options, spec.threads, spec.heartbeat_every, spec.fault_hooks)

    # -- its end

    def _finish(self, reason: str | None = None) -> None:
        """Let go of it; ``reason`` is why, where nothing else is known."""
        if self._gone.is_set():
            return
        self._part()
        for timer in (self._check_timer, *self._timers):
            timer.cancel()
        self._timers.clear()
        self._state = "gone"
        self._gone.set()
        self._listener.on_gone(self._tell_end(reason))

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

    # -- how this kind of worker does it

    @abc.abstractmethod
    async def _make(self) -> None:
        """Have it made, with its wire. Raises OSError, ValueError or RuntimeError."""

    @abc.abstractmethod
    def _ask_to_end(self) -> None:
        """Ask it to end, and see that it does."""

    @abc.abstractmethod
    def _part(self) -> None:
        """Take in what it said last, and close all that stood for it."""

    @abc.abstractmethod
    def _tell_end(self, reason: str | None) -> WorkerGone:
        """Tell how it ended."""
