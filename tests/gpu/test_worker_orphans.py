"""No process outlives the service, however it dies; and a worker's helpers don't outlive it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from failsoft.gpu import WorkerSpec

from .launched import Launcher, children_of, exists, name_of, still_alive_after, watch

# The law: within 2 s.
LIMIT = 2.0
HERE = Path(__file__).parent


class Service:
    """A service in a process of its own, with two workers."""

    def __init__(self, thread: str, manner: str) -> None:
        # Without -P, so that the folder of the program is searched for the engine.
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "host_program.py"), thread, manner],
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.pid = self.process.pid
        self.reaper: int = told["reaper"]
        self.workers: list[int] = told["workers"]
        self.others = [pid for pid in children_of(self.reaper) if pid not in self.workers]
        self.helpers = [pid for worker in self.workers for pid in children_of(worker)]
        self._pidfds = watch(self.helpers)

    @property
    def all(self) -> list[int]:
        return [self.pid, self.reaper, *self.workers, *self.others, *self.helpers]

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def stop_then_kill(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)
        self.kill()

    def interrupt(self) -> None:
        os.kill(self.pid, signal.SIGINT)

    def close(self) -> None:
        for pid in self.all:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        for pidfd in self._pidfds.values():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def service(thread: str = "main", manner: str = "idle") -> Iterator[Service]:
    made = Service(thread, manner)
    try:
        yield made
    finally:
        made.close()


DEATHS = [Service.kill, Service.stop_then_kill]


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("manner", ["idle", "busy", "loading", "helper", "plain"])
@pytest.mark.parametrize("thread", ["main", "thread"])
def test_nothing_outlives_the_service(
    thread: str, manner: str, death: Callable[[Service], None]
) -> None:
    """WK-04 No worker, no template, no reaper and no helper of a worker is left."""
    with service(thread, manner) as served:
        names = [name_of(pid) for pid in served.others]
        assert names == ([] if manner == "plain" else ["failsoft-templ"])
        assert len(served.helpers) == (2 if manner == "helper" else 0)
        pidfds = watch(served.all)
        death(served)
        assert still_alive_after(pidfds, LIMIT) == set()


@pytest.mark.parametrize("death", DEATHS)
def test_a_stopped_worker_does_not_outlive_the_service(death: Callable[[Service], None]) -> None:
    """WK-04 It can't see that the service is gone; it is killed."""
    with service() as served:
        pidfds = watch(served.all)
        os.kill(served.workers[0], signal.SIGSTOP)
        death(served)
        assert still_alive_after(pidfds, LIMIT) == set()


@pytest.mark.parametrize("thread", ["main", "thread"])
@pytest.mark.parametrize("stopped", ["reaper", "template", "all"])
def test_stopped_processes_do_not_outlive_the_service(stopped: str, thread: str) -> None:
    """WK-04 None of them can do anything by itself; the kernel wakes the reaper."""
    with service(thread, "helper") as served:
        pidfds = watch(served.all)
        for pid in {
            "reaper": [served.reaper],
            "template": served.others,
            "all": [served.reaper, *served.others, *served.workers],
        }[stopped]:
            os.kill(pid, signal.SIGSTOP)
        served.kill()
        assert still_alive_after(pidfds, LIMIT) == set()


def test_ctrl_c_in_the_terminal_reaches_the_service_alone() -> None:
    """The reaper and all below are of another session, so they end in order, with the service."""
    with service() as served:
        session = os.getsid(served.pid)
        for pid in (served.reaper, *served.workers, *served.others):
            assert os.getsid(pid) != session
        pidfds = watch(served.all)
        served.interrupt()
        assert still_alive_after(pidfds, LIMIT) == set()


def test_the_workers_die_with_the_reaper() -> None:
    """A reaper that is killed takes along all that it made, even stopped ones, and helpers."""
    with service(manner="helper") as served:
        below = [*served.workers, *served.others, *served.helpers]
        pidfds = watch(below)
        os.kill(served.workers[0], signal.SIGSTOP)
        os.kill(served.reaper, signal.SIGKILL)
        assert still_alive_after(pidfds, LIMIT) == set()


@pytest.mark.parametrize("manner", ["helper", "plain"])
def test_workers_die_with_the_reaper_while_the_service_is_stopped(manner: str) -> None:
    """Nobody but the kernel can kill them, stopped as they are and deaf to other signals."""
    with service(manner=manner) as served:
        pidfds = watch([*served.workers, *served.others])
        for pid in (served.pid, *served.workers):
            os.kill(pid, signal.SIGSTOP)
        os.kill(served.reaper, signal.SIGKILL)
        assert still_alive_after(pidfds, LIMIT) == set()


@pytest.mark.anyio
@pytest.mark.parametrize("manner", ["killed", "stopped"])
async def test_a_workers_helpers_end_with_it(
    launch: Launcher, manner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No orphan, no zombie, and no wait for the output that the helper holds open."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(HERE)])
    worker = await launch(WorkerSpec(engine="helper_engine:HelperEngine"))
    helper = (await worker.ready()).info["helper"]
    pidfds = watch([helper])
    if manner == "killed":
        worker.process.kill("enough")
    await worker.process.stop()
    await worker.ended()
    assert still_alive_after(pidfds, LIMIT) == set()
    assert not exists(worker.pid)
