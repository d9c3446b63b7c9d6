"""Start a server, wait until it answers, and stop it with all that it started."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil

from bench.servers.model import PIDS

_PATIENCE = 120.0
_PATH = "/generate"
_BODY = b'{"prompt": "hello", "max_tokens": 1}'


class Running(msgspec.Struct, frozen=True):
    """Tell where a server is, and which process is its first. folder: see ``model``."""

    name: str
    port: int
    pid: int
    folder: Path

    def models(self) -> list[psutil.Process]:
        """Give the living processes that have the model loaded, the last loaded first."""
        files = sorted(self.folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        with_model = (int(file.name) for file in files)
        return [psutil.Process(pid) for pid in with_model if psutil.pid_exists(pid)]

    def processor(self) -> float:
        """Give the seconds of processor time of the server and all below it, so far."""
        total = 0.0
        first = psutil.Process(self.pid)
        for process in (first, *first.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Have all of it stand still in the block: an idle server isn't always at rest."""
        first = psutil.Process(self.pid)
        processes = [first, *first.children(recursive=True)]
        _signal(processes, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(processes, signal.SIGCONT)


@contextlib.contextmanager
def running(
    name: str, model: str, workers: int = 1, *, path: str = _PATH, **environment: str
) -> Iterator[Running]:
    """Run a module of this package until the block is left. Raise as ``started`` does."""
    command = functools.partial(_command, name, model, workers)
    with started(name, command, path=path, **environment) as server:
        yield server


@contextlib.contextmanager
def started(
    name: str, command: Callable[[int], list[str]], *, path: str = _PATH, **environment: str
) -> Iterator[Running]:
    """Run a server in a session of its own until the block is left; ready in the block.

    command: what is started, by the port. path: where it answers.

    Raises:
        RuntimeError: it ended, or didn't answer in two minutes; what it wrote is in the message.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as written:
        pids = Path(folder) / "pids"
        pids.mkdir()
        process = subprocess.Popen(
            command(port),
            env={**os.environ, **environment, PIDS: str(pids)},
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            if not _answers(process, port, path):
                written.seek(0)
                said = written.read()[-4000:].decode(errors="replace")
                raise RuntimeError(f"{name} doesn't answer; it wrote:\n{said}")
            yield Running(name, port, process.pid, pids)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], patience: float = 15.0) -> list[psutil.Process]:
    """Ask a server to end, and end it if it doesn't; give what it left behind, ended, too."""
    known = []
    with contextlib.suppress(psutil.NoSuchProcess):
        known = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(known, timeout=2)
    for each in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGKILL)
    psutil.wait_procs(left, timeout=5)
    return left


def _command(name: str, model: str, workers: int, port: int) -> list[str]:
    options = ("--port", str(port), "--model", model, "--workers", str(workers))
    return [sys.executable, "-m", f"bench.servers.{name}", *options]


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def free_port() -> int:
    """Give a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _answers(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    """Wait for the first answer."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", _BODY, {"Content-Type": "application/json"}
    )
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with (
            contextlib.suppress(OSError),  # URLError is one
            urllib.request.urlopen(request, timeout=10) as answer,
        ):
            if answer.status == 200:
                return True
        time.sleep(0.1)
    return False
