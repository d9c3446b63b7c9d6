"""A keeper under test, as a program of its own, and the service's side of it by hand."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from failsoft.gpu.cluster import handshake
from failsoft.gpu.cluster.handshake import CONTROL, WIRE
from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.cluster.words import Born, Exited, Printed, word_reader
from failsoft.gpu.worker_spec import WorkerSpec
from failsoft.messages.frames import Frame, Load
from failsoft.messages.wire import FrameReader, encode_frame, report_reader

HERE = Path(__file__).parents[1]
# Far above what anything here takes, and below what a keeper that waits for strangers would.
PATIENCE = 20.0

T = TypeVar("T")


class End:
    """Hold one connection to a keeper, and all that came by it."""

    def __init__(self, end: socket.socket, reader: FrameReader) -> None:
        self.end = end
        self.heard: list[Any] = []
        self._reader = reader

    def send(self, frame: Frame) -> None:
        self.end.sendall(encode_frame(frame))

    def hear(self, kind: type[T]) -> T:
        """Wait for the first of a kind."""
        while True:
            for frame in self.heard:
                if isinstance(frame, kind):
                    return frame
            assert self._receive(), f"it ended with {self.heard}"

    def hears(self, kind: type[Any], within: float) -> bool:
        """Tell whether one of a kind comes in time."""
        until = time.monotonic() + within
        while not any(isinstance(frame, kind) for frame in self.heard):
            left = max(0.0, until - time.monotonic())
            if not select.select([self.end], [], [], left)[0] or not self._receive():
                return False
        return True

    def hear_all(self) -> list[Any]:
        """Wait for the end; give all that came."""
        while self._receive():
            pass
        return self.heard

    def _receive(self) -> bool:
        data = self.end.recv(1 << 16)
        self.heard += self._reader.feed(data)
        return bool(data)


class Kept:
    """Hold a keeper; be its service."""

    def __init__(self, silence_limit: float = 10.0) -> None:
        self.order = KeeperOrder(os.urandom(handshake.KEY_BYTES), silence_limit)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "failsoft.gpu.cluster.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(msgspec.json.encode(self.order) + b"\n")
        self.process.stdin.flush()
        self.address = msgspec.json.decode(self.process.stdout.readline(), type=KeeperAddress)
        self._ends: list[socket.socket] = []

    def connect(self) -> socket.socket:
        """Come as anybody could."""
        end = socket.create_connection((self.address.host, self.address.port), PATIENCE)
        self._ends.append(end)
        return end

    def claim(self, purpose: bytes, key: bytes | None = None) -> End:
        """Come as the service does. Raises HandshakeError, or OSError, where it is refused."""
        end, key = self.connect(), key or self.order.key
        greeted = _receive(end, handshake.GREETING_BYTES)
        claimed = handshake.claim(key, purpose, greeted)
        end.sendall(claimed)
        handshake.check_answer(key, greeted, claimed, _receive(end, handshake.ANSWER_BYTES))
        return End(end, word_reader() if purpose == CONTROL else report_reader())

    def claim_both(self, spec: WorkerSpec) -> tuple[End, End]:
        """Give control and wire, with a worker that loads ``spec``."""
        control, wire = self.claim(CONTROL), self.claim(WIRE)
        wire.send(Load(spec.engine, spec.options, None, 0.5, False))
        return control, wire

    def end_leash(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def ends(self) -> int:
        """Wait for its end; give its status."""
        return self.process.wait(PATIENCE)

    def said(self) -> list[str]:
        """Give what it printed, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read().decode().splitlines()

    def close(self) -> None:
        for end in self._ends:
            end.close()
        with self.process:
            self.process.kill()


@contextlib.contextmanager
def kept(silence_limit: float = 10.0) -> Iterator[Kept]:
    made = Kept(silence_limit)
    try:
        yield made
    finally:
        made.close()


def born(control: End) -> int:
    """Wait for the worker's birth; give its pid."""
    return control.hear(Born).pid


def printed(control: End) -> bytes:
    return b"".join(word.data for word in control.heard if isinstance(word, Printed))


def status(control: End) -> int:
    """Wait for the worker's end; give its status. It is the last word."""
    last = control.hear_all()[-1]
    control.end.close()
    assert isinstance(last, Exited)
    return last.status


def is_closed(end: socket.socket) -> bool:
    """Wait until the other side has closed; what it said before is dropped."""
    try:
        while end.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    return True


def _receive(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = end.recv(size - len(data))
        if not more:
            raise OSError("it was closed")
        data += more
    return data
