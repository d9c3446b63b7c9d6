"""The service's handle of one reaper process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import structlog

from failsoft.gpu.process.control import Message, receive_message, send_message
from failsoft.gpu.process.side_process import controlled
from failsoft.gpu.process.worker_log import WorkerLine

_log = structlog.get_logger("failsoft.reaper")

# The reaper does nothing that takes long: one that doesn't answer in this time is hung.
ANSWER_LIMIT = 10.0
# More than the reaper itself gives its children to end.
END_LIMIT = 15.0


class Child(Protocol):
    """Be told of a worker process that was asked for: born or not, and then ended, once each."""

    def on_born(self, pid: int, pidfd: int) -> None:
        """Own ``pidfd`` from here on."""
        ...

    def on_not_born(self, reason: str, *, is_load_failure: bool) -> None: ...

    def on_exited(self, status: int | None) -> None:
        """Learn the exit status; None where nobody can tell it any more."""
        ...


class ReaperProcess:
    """Run a reaper, and pass on what it tells. It lives until ``aclose`` or its own death."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._children: dict[int, Child] = {}
        self._unborn: set[int] = set()
        self._answers: dict[int, asyncio.TimerHandle] = {}
        self._is_lost = False
        self._process, self._control = controlled(
            "failsoft.gpu.process.reaper", on_line=_log_line, on_exit=self._exited
        )
        loop.add_reader(self._control, self._receive)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Tell whether workers can be asked of it."""
        return not self._is_lost

    @property
    def is_gone(self) -> bool:
        """Tell whether it has ended, and all is cleaned up after it."""
        return self._process.gone.is_set()

    @property
    def workers(self) -> int:
        """Give how many workers live, as far as is known."""
        return len(self._children) - len(self._unborn)

    @property
    def unborn(self) -> int:
        """Give how many workers are asked for and not there yet."""
        return len(self._unborn)

    def fork(
        self, id: int, preload: Sequence[str], descriptors: Sequence[int], child: Child
    ) -> None:
        """Ask for a worker that has copies of ``descriptors``: its wire and its output.

        Raises OSError where the reaper can't be asked.
        """
        path = [entry or str(Path.cwd()) for entry in sys.path]
        message: Message = {"op": "fork", "id": id, "preload": list(preload), "sys_path": path}
        send_message(self._control, message, descriptors)
        self._children[id] = child
        self._unborn.add(id)

    def withdraw(self, id: int, *, template_is_hung: bool) -> None:
        """Take back the request for a worker: it is answered soon, or else the reaper is hung."""
        if id not in self._unborn or id in self._answers:
            return
        self._answers[id] = self._loop.call_later(ANSWER_LIMIT, self.kill)
        # Where it is full, it is not read, and the timer decides.
        with contextlib.suppress(OSError):
            send_message(
                self._control,
                {"op": "withdraw", "id": id, "template_is_hung": template_is_hung},
            )

    def kill(self) -> None:
        """Kill the reaper, and so by the kernel's hand all that it made."""
        self._process.kill()

    async def aclose(self) -> None:
        """End the reaper and all that it made; return when they are gone."""
        with contextlib.suppress(OSError):
            # Its own last words are still heard.
            self._control.shutdown(socket.SHUT_WR)
        self._is_lost = True
        await self._process.ended(END_LIMIT)

    # -- what comes from it

    def _receive(self) -> bool:
        """Take in a message; tell whether there was one."""
        try:
            message, descriptors = receive_message(self._control)
        except BlockingIOError:
            return False
        match message:
            case {"op": "forked", "id": int(id), "pid": int(pid)}:
                self._answered(id)
                if descriptors:
                    self._children[id].on_born(pid, descriptors[0])
                else:
                    self._end_unheld(pid)
            case {"op": "failed", "id": int(id), "kind": kind, "reason": str(reason)}:
                self._answered(id)
                self._children.pop(id).on_not_born(reason, is_load_failure=kind == "preload")
            case {"op": "exited", "id": int(id), "status": int(status)}:
                self._children.pop(id).on_exited(status)
            case None:
                self._loop.remove_reader(self._control)
            case _:
                raise ValueError(f"no such message: {message}")
        return message is not None

    def _end_unheld(self, pid: int) -> None:
        """End a worker that can't be held: out of descriptors, the kernel drops the one sent.

        It would serve, and nobody could kill it when it hangs. Its end is told as any other's.
        """
        _log.error("this process is out of file descriptors; a worker was ended", pid=pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _answered(self, id: int) -> None:
        self._unborn.discard(id)
        timer = self._answers.pop(id, None)
        if timer is not None:
            timer.cancel()

    def _exited(self, status: int) -> None:
        """Clean up after the reaper; tell those whose worker it was."""
        self._is_lost = True
        while self._receive():
            pass
        self._loop.remove_reader(self._control)
        self._control.close()
        if status != 0:
            _log.error("the reaper ended; its workers end with it", status=status)
        for timer in self._answers.values():
            timer.cancel()
        children, self._children = self._children, {}
        unborn, self._unborn = self._unborn, set()
        for id, child in children.items():
            if id in unborn:
                child.on_not_born("the parent of all workers ended", is_load_failure=False)
            else:
                child.on_exited(None)


def _log_line(line: WorkerLine) -> None:
    line.log_to(_log)
