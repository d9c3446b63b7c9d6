"""A real service, in a process of its own, for tests."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx2
import openai

from failsoft.testing.processes import descendants

HERE = Path(__file__).parent
# Far above what anything here takes: a test that would hang fails instead.
PATIENCE = 60.0


class ServedProcess:
    """Run ``command`` with a bound socket's descriptor in it, in place of ``{fd}``."""

    def __init__(self, command: Sequence[str], log: Path, cwd: Path | None = None) -> None:
        with socket.socket() as listening:
            # Listened on from here, so that nobody has to wait until the service does.
            listening.bind(("127.0.0.1", 0))
            listening.listen(2048)
            self.port: int = listening.getsockname()[1]
            descriptor = listening.fileno()
            self._log = log
            with log.open("wb") as output:
                self.process = subprocess.Popen(
                    [sys.executable, "-P", *(word.format(fd=descriptor) for word in command)],
                    stdout=output,
                    stderr=output,
                    pass_fds=[descriptor],
                    cwd=cwd,
                )
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.process.pid

    def client(self, **options: object) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=PATIENCE, **options)  # type: ignore[arg-type]

    def openai(self, **options: object) -> openai.OpenAI:
        options = {
            "api_key": "none",
            "base_url": f"{self.url}/v1",
            "max_retries": 0,
            "timeout": PATIENCE,
            **options,
        }
        return openai.OpenAI(**options)  # type: ignore[arg-type]

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        """Give a raw connection."""
        connection = socket.socket()
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def status(self) -> int:
        """Give the exit status, once it has ended."""
        return self.process.wait(PATIENCE)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def below(self) -> list[int]:
        """Give descriptors of the processes below it, for ``wait_for_end``."""
        return [os.pidfd_open(process.pid) for process in descendants(self.pid)]

    def close(self) -> None:
        """End it, and see that all below it end."""
        if self.process.poll() is None:
            below = self.below()
            self.process.terminate()
            self.process.wait(PATIENCE)
            wait_for_end(below)


def wait_for_end(processes: list[int]) -> None:
    """Wait until the processes of these descriptors have ended."""
    for process in processes:
        assert select.select([process], [], [], PATIENCE)[0]
        os.close(process)


def serving(folder: Path, *files: str, **contents: str) -> ServedProcess:
    """Run the program of these tests. files, contents: of ``folder``, which turn things on."""
    for name in files:
        (folder / name).touch()
    for name, content in contents.items():
        (folder / name).write_text(content)
    return ServedProcess([str(HERE / "program.py"), "{fd}", str(folder)], folder / "log")


def read_until(connection: socket.socket, wanted: bytes) -> bytes:
    """Read until ``wanted`` has come; give all that has."""
    read = b""
    while wanted not in read:
        piece = connection.recv(65536)
        assert piece, f"the connection ended with {read!r}"
        read += piece
    return read


def read_all(connection: socket.socket) -> bytes:
    """Read to the connection's end."""
    read = b""
    try:
        while piece := connection.recv(65536):
            read += piece
    except ConnectionResetError:
        pass
    return read


def post(path: str, body: bytes, *headers: str) -> bytes:
    """Give a whole request, in bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body
