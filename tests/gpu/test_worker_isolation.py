"""A worker has nothing of what its service has open."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from failsoft.gpu import WorkerHost
from failsoft.gpu.scripted import scripted

from .launched import Launcher, children_of


@pytest.fixture
def busy_process() -> Iterator[set[str]]:
    """Make this process a busy one; give what its open files are."""
    over, done = threading.Event(), signal.signal(signal.SIGUSR2, lambda *_: None)
    waiting = threading.Thread(target=over.wait)
    waiting.start()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    with socket.create_server(("127.0.0.1", 0)) as listening, tempfile.TemporaryFile() as database:
        opened = {listening.fileno(), database.fileno()}
        for number in opened:
            os.set_inheritable(number, True)
        yield {link_of("self", number) for number in opened}
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    signal.signal(signal.SIGUSR2, done)
    over.set()
    waiting.join()


def opened_by(pid: int) -> dict[int, str]:
    numbers = [int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return {number: link_of(pid, number) for number in numbers}


def link_of(pid: int | str, number: int) -> str:
    return str(Path(f"/proc/{pid}/fd/{number}").readlink())


def name_and_threads_of(pid: int) -> tuple[str, int]:
    process = Path(f"/proc/{pid}")
    return (process / "comm").read_text().strip(), len(list((process / "task").iterdir()))


def status_of(pid: int, field: str) -> int:
    """Give a hexadecimal field of a process's status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return int(value, 16)


def test_the_reaper_is_small() -> None:
    """It has no event loop, no logging and no torch: all of its workers' parents are made of it."""
    program = "import sys, failsoft.gpu.process.reaper; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, check=True, text=True
    )
    assert not {"asyncio", "structlog", "logging", "torch"} & set(done.stdout.split())


@pytest.mark.anyio
async def test_nothing_open_is_inherited(
    busy_process: set[str], host: WorkerHost, launch: Launcher
) -> None:
    """WK-18 Neither workers nor those before them have the listening socket or the file."""
    workers = [await launch.at_rest(scripted()) for _ in range(2)]
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    for pid in (reaper, *children_of(reaper)):
        assert not busy_process & set(opened_by(pid).values())
    ends = set()
    for worker in workers:
        opened = opened_by(worker.pid)
        assert sorted(opened) == [0, 1, 2, 3]
        assert opened[0] == "/dev/null"
        assert opened[1] == opened[2]
        ends |= {opened[1], opened[3]}
    assert len(ends) == 4


@pytest.mark.anyio
async def test_no_signal_handling_is_inherited(busy_process: set[str], launch: Launcher) -> None:
    """WK-18 Nothing is blocked or caught in a worker; it is a process of its own group."""
    worker = await launch.ready(scripted())
    assert status_of(worker.pid, "SigBlk") == 0
    assert status_of(worker.pid, "SigCgt") & ~(1 << 31 | 1 << 32) == 0
    assert os.getpgid(worker.pid) == worker.pid


@pytest.mark.anyio
async def test_no_thread_is_inherited(busy_process: set[str], launch: Launcher) -> None:
    """WK-18 A worker has three of its own: for the work, the commands and the heartbeat."""
    worker = await launch.ready(scripted())
    assert name_and_threads_of(worker.pid) == ("failsoft-worker", 3)


@pytest.mark.anyio
async def test_a_terminating_signal_ends_a_worker(launch: Launcher) -> None:
    """SIGTERM is not held back by anything inherited."""
    worker = await launch.ready(scripted())
    os.kill(worker.pid, signal.SIGTERM)
    assert (await worker.ended()).exit_status == -signal.SIGTERM
