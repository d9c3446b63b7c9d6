"""A worker that has a process of its own, wherever that is: how it is ended, and what it tells."""

from __future__ import annotations

import abc
import signal

from failsoft.gpu.handle.followed import ASKED, FollowedWorker
from failsoft.gpu.handle.listener import WorkerGone, WorkerListener, describe_status
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.frames import Stop


class OwnProcess(FollowedWorker):
    """End a process step by step: a word on its wire, SIGTERM, SIGKILL."""

    def __init__(self, spec: WorkerSpec, listener: WorkerListener) -> None:
        super().__init__(spec, listener)
        self._pid: int | None = None
        self._status: int | None = None

    @property
    def pid(self) -> int | None:
        """Give the process id, of its own machine; None before it is known."""
        return self._pid

    def kill(self, reason: str) -> None:
        """End the process now, where it can be told. ``reason`` is told, unless one is known."""
        if self._state == "new" or self._gone.is_set():
            return
        self._reason = self._reason or reason
        self._is_killed = True
        self._state = "killed"
        self._kill()

    def _ask_to_end(self) -> None:
        if not self._can_be_asked():
            self.kill(ASKED)
            return
        self._state = "stopping"
        self._reason = self._reason or ASKED
        self.send(Stop())
        self._later(self._spec.stop_grace, self._terminate)

    def _terminate(self) -> None:
        """Ask the process itself: what a library has set up to be done at its end is done."""
        self._signal(signal.SIGTERM)
        self._later(self._spec.term_grace, lambda: self.kill(ASKED))

    def _tell_end(self, reason: str | None) -> WorkerGone:
        return WorkerGone(
            pid=self._pid,
            reason=self._reason or reason or self._describe_end(),
            exit_status=self._status,
            was_hung=self._was_hung,
            was_asked=self._was_asked,
        )

    def _describe_end(self) -> str:
        return describe_status(self._status)

    # -- how this kind of process does it

    @abc.abstractmethod
    def _kill(self) -> None:
        """Have it killed, wherever it is in its life."""

    @abc.abstractmethod
    def _can_be_asked(self) -> bool:
        """Tell whether there is one yet that hears."""

    @abc.abstractmethod
    def _signal(self, number: signal.Signals) -> None:
        """Send it a signal, where it is there."""
