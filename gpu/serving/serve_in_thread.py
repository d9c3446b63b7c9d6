"""A worker that lives in threads of the service's own process, where nobody can kill it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Any

import structlog

from failsoft.gpu.engine import BatchEngine, Engine
from failsoft.gpu.loading.reports import LoadCalledOff
from failsoft.gpu.loading.turn import LoadTurn
from failsoft.gpu.serving.serve import Worker
from failsoft.gpu.serving.thread_movement import ThreadMovement

_log = structlog.get_logger("failsoft.worker")
# In frames and events a worker without a process has this pid.
_NO_PID = 0
_TURN = LoadTurn()


def serve_in_thread(end: socket.socket, path: str) -> None:
    """Serve the service at the other end of ``end``; close it as the last thing of all.

    path: the actor's, for the lines of the log.
    """
    # Bound in this thread's own context: the service's lines don't have it.
    structlog.contextvars.bind_contextvars(path=path)
    with end:
        worker = ThreadWorker(end)
        try:
            worker.run()
        except LoadCalledOff:
            pass
        except BaseException:
            _log.exception("a worker's thread has failed")
        finally:
            worker.join()


class ThreadWorker(Worker):
    """Run one engine, and end when the service has left: at the next step, not before."""

    def __init__(self, end: socket.socket) -> None:
        self._movement = ThreadMovement()
        super().__init__(end, _NO_PID, self._movement)
        self._end = end

    def load(
        self, engine: Engine | BatchEngine, progress: Callable[[int, int], None]
    ) -> dict[str, Any]:
        """Have ``engine`` load, when no other thread does. Raises LoadCalledOff."""

        def go_on() -> None:
            progress(0, 0)

        try:
            _TURN.take(self, go_on)
            self._movement.begin()
            go_on()
            return super().load(engine, progress)
        finally:
            _TURN.give_back(self)

    def leave(self, status: int) -> None:
        """Have all that goes on here end as soon as it can."""
        self._load.put(None)
        self._reports.call_off()
        self._inbox.abandon()
        self._pulse.end()
        # A load that stands still keeps nobody waiting.
        _TURN.give_back(self)

    def join(self) -> None:
        """Wait for the other threads of this worker; nothing is sent after that."""
        self._pulse.end()
        # The reader wakes; what was sent can still be read at the other end.
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RD)
        if self._commands.is_alive():
            self._commands.join()
        self._pulse.join()
