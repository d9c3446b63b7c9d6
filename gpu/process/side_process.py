"""A program that runs beside the service: started, listened to, and seen to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO

from failsoft.gpu.process.control import control_pair
from failsoft.gpu.process.links import OutputLink
from failsoft.gpu.process.session import end_session
from failsoft.gpu.process.worker_log import WorkerLine


class SideProcess:
    """Run a program in a session of its own: Ctrl-C in a terminal must not reach it.

    on_line: told what it prints on standard error, and on standard output too where there is no
        ``on_output_line``. on_exit: told its status, as in ``subprocess``, once and last; whatever
        else ran in its session is ended by then.

    Raises OSError where it can't be started.
    """

    def __init__(
        self,
        program: Sequence[str],
        *,
        on_line: Callable[[WorkerLine], None],
        on_exit: Callable[[int], None],
        on_output_line: Callable[[WorkerLine], None] | None = None,
        pass_fds: Sequence[int] = (),
        has_input: bool = False,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_exit = on_exit
        self.gone = asyncio.Event()
        has_output = on_output_line is not None
        self._popen = subprocess.Popen(
            program,
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if has_output else subprocess.STDOUT,
            close_fds=True,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self._outputs: list[OutputLink] = []
        try:
            self._listen(self._popen.stdout, on_output_line or on_line)
            if has_output:
                self._listen(self._popen.stderr, on_line)
            self._pidfd = os.pidfd_open(self._popen.pid)
        except OSError:
            for output in self._outputs:
                output.close()
            with self._popen:
                self._popen.kill()
            raise
        self._loop.add_reader(self._pidfd, self._exited)

    def __repr__(self) -> str:
        return f"<SideProcess {self.pid}{', gone' * self.gone.is_set()}>"

    @property
    def pid(self) -> int:
        return self._popen.pid

    def write(self, data: bytes) -> None:
        """Write to its standard input, which must have room. Raises OSError where it is closed."""
        assert self._popen.stdin is not None
        if self._popen.stdin.closed:
            raise BrokenPipeError("the program's input has ended")
        os.write(self._popen.stdin.fileno(), data)

    def end_input(self) -> None:
        """Close its standard input. Idempotent."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()

    def kill(self) -> None:
        """Kill it now, where it lives."""
        if not self.gone.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def ended(self, within: float) -> None:
        """Return when it is gone; it is killed where it isn't after ``within`` seconds."""
        timer = self._loop.call_later(within, self.kill)
        try:
            await self.gone.wait()
        finally:
            timer.cancel()

    def _listen(self, pipe: IO[bytes] | None, on_line: Callable[[WorkerLine], None]) -> None:
        assert pipe is not None
        with pipe:
            self._outputs.append(OutputLink(self._loop, os.dup(pipe.fileno()), on_line))

    def _exited(self) -> None:
        self._loop.remove_reader(self._pidfd)
        end_session(self._popen.pid)
        status = self._popen.wait()
        os.close(self._pidfd)
        self.gone.set()
        self.end_input()
        for output in self._outputs:
            output.close()
        self._on_exit(status)


def controlled(
    module: str,
    *arguments: str,
    on_line: Callable[[WorkerLine], None],
    on_exit: Callable[[int], None],
) -> tuple[SideProcess, socket.socket]:
    """Run a module of ours beside the service; give it, and our end of its control socket.

    The number of its own end is its first argument. Raises OSError where it can't be started.
    """
    control, theirs = control_pair()
    number = theirs.fileno()
    with theirs:
        try:
            process = SideProcess(
                (sys.executable, "-P", "-m", module, str(number), *arguments),
                on_line=on_line,
                on_exit=on_exit,
                pass_fds=(number,),
            )
        except BaseException:
            control.close()
            raise
    control.setblocking(False)
    return process, control
