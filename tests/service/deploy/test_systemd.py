"""What systemd is told: by a real service, over a real socket of ours in its place."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from tests.service.http.served import PATIENCE, serving

from failsoft.service.http.systemd import READY, Systemd


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Give the socket that a service tells its states to."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(PATIENCE)
        yield told


def heard(told: socket.socket, wanted: str) -> int:
    """Give how many other things were told until ``wanted`` was."""
    others = 0
    while told.recv(4096).decode() != wanted:
        others += 1
    return others


def test_a_service_tells_that_it_is_up_alive_and_ending(
    systemd: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SRV-05 That it is up, once it listens and its tree stands; that it ends, before it does."""
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.getsockname())
    # A third of it lies between two signs of life. The kernel keeps 10 that nobody has read, and
    # then drops what comes next: the end's word too, were we kept from reading for that long.
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    service = serving(tmp_path)
    try:
        assert heard(systemd, "READY=1") == 0
        with service.client() as client:
            assert client.get("/livez").status_code == 200
        assert [heard(systemd, "WATCHDOG=1") for _ in range(3)] == [0, 0, 0]
        service.tell()
        heard(systemd, "STOPPING=1")
        assert service.status() == 0
    finally:
        service.close()


def test_a_service_that_nobody_watches_tells_nothing() -> None:
    """It runs as well without systemd."""
    with structlog.testing.capture_logs() as logged:
        Systemd({}).tell(READY)
    assert logged == []


def test_a_systemd_that_is_gone_harms_nobody(tmp_path: Path) -> None:
    """A warning tells of it."""
    with structlog.testing.capture_logs() as logged:
        Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).tell(READY)
    assert [line["event"] for line in logged] == ["systemd_not_told"]


def test_a_socket_without_a_file() -> None:
    """An abstract one is written with an @."""
    name = f"failsoft-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(f"\0{name}")
        told.settimeout(PATIENCE)
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).tell(READY)
        assert told.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
@pytest.mark.anyio
async def test_no_sign_of_life_is_wanted(
    environment: dict[str, str], systemd: socket.socket
) -> None:
    """Or that of another process."""
    async with asyncio.timeout(PATIENCE):
        await Systemd({"NOTIFY_SOCKET": systemd.getsockname(), **environment}).keep_alive()
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)
