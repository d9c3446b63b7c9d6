"""Start the processes of the peers, have them play scenes, and end them with all below them."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from bench.supervise.host import Played
from bench.supervise.model import serving
from bench.supervise.processes import below, end, left_of
from bench.supervise.scenes import Seen

_START_SECONDS = 150.0
_SCENE_SECONDS = 150.0
_STOP_SECONDS = 15.0


class Orphans(msgspec.Struct, frozen=True):
    """Count the processes below the one that was killed, and those that were left of them."""

    were: int
    left: int
    has_worker: bool


class Hosted:
    """Talk to one peer's process."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], folder: Path, log: IO[bytes]
    ) -> None:
        self.name = name
        self.parent = 0
        self._process = process
        self._folder = folder
        self._log = log

    def up(self) -> None:
        """Wait until the peer has answered for the first time."""
        self.parent = msgspec.json.decode(self._line(_START_SECONDS), type=int)

    def begin(self, scene: str, **arguments: int | float) -> None:
        """Have a scene played, and don't wait for its end."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(Played(scene, arguments)) + b"\n")
        self._process.stdin.flush()

    def seen(self) -> Seen:
        """Wait for the end of the scene that was begun."""
        return msgspec.json.decode(self._line(_SCENE_SECONDS), type=Seen)

    def play(self, scene: str, **arguments: int | float) -> Seen:
        self.begin(scene, **arguments)
        return self.seen()

    def orphans(self, seconds: float) -> Orphans:
        """SIGKILL who watches over a busy worker; give what is left after so many seconds."""
        worker = 0
        with contextlib.suppress(ProcessLookupError):
            worker = serving(self._folder)
        processes = [process for process in below(self.parent) if process.pid != self.parent]
        os.kill(self.parent, signal.SIGKILL)
        left = left_of(processes, seconds)
        end(left)
        return Orphans(len(processes), len(left), any(process.pid == worker for process in left))

    def stop(self) -> None:
        """End the process, and all that it has left."""
        processes = below(self._process.pid)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        # What was started in the meantime, too.
        processes += below(self._process.pid)
        end(left_of(processes, 1.0))
        self._process.wait()
        self._process.stdout.close()

    def _line(self, seconds: float) -> bytes:
        assert self._process.stdout is not None
        readable, _, _ = select.select([self._process.stdout], [], [], seconds)
        line = self._process.stdout.readline() if readable else b""
        if not line:
            self._log.seek(0)
            said = self._log.read()[-4000:].decode(errors="replace")
            raise RuntimeError(f"{self.name} doesn't answer; it wrote:\n{said}")
        return line


@contextlib.contextmanager
def hosted(
    names: Sequence[str], model: str, failed: dict[str, str] | None = None
) -> Iterator[list[Hosted]]:
    """Run each peer in a process of its own until the block is left.

    failed: takes down who can't begin, and why; they are left out. Without it:

    Raises:
        RuntimeError: one can't; what it wrote is in the message.
    """
    with contextlib.ExitStack() as stack:
        hosts = []
        for name in names:
            made = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
            log = stack.enter_context(tempfile.TemporaryFile())
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.supervise.host", name, model, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # Ctrl-C is for this process, which ends them in order.
                start_new_session=True,
            )
            host = Hosted(name, process, folder, log)
            stack.callback(host.stop)
            # One after the other: many who begin at once take each other the time they have.
            if _is_up(host, failed):
                hosts.append(host)
        yield hosts


def _is_up(host: Hosted, failed: dict[str, str] | None) -> bool:
    try:
        host.up()
    except RuntimeError as error:
        if failed is None:
            raise
        print(error, file=sys.stderr)
        failed[host.name] = f"it didn't begin: {str(error).splitlines()[-1]}"
        return False
    return True
