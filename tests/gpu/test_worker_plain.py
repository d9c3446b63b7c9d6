"""Workers that can't be forked from a template are started without one, and are as good."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from failsoft.gpu import WorkerHost, WorkerSpec
from failsoft.gpu.image.worker import image_worker
from failsoft.gpu.script import Die, Exit, Script, When
from failsoft.gpu.scripted import scripted

from .launched import (
    Launched,
    Launcher,
    children_of,
    name_of,
    still_alive_after,
    watch,
)

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
MODULE = "unforkable"
THREAD = (HERE / "thread_at_import.py").read_text()
CUDA = """
import sys, types
cuda = types.SimpleNamespace(is_initialized=lambda: True)
sys.modules["torch"] = types.SimpleNamespace(cuda=cuda)
"""
NO_FORK = """
import os
def fork():
    raise OSError(12, "Cannot allocate memory")
os.fork = fork
"""


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Give what writes the code of ``MODULE``, to be preloaded."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return (tmp_path / f"{MODULE}.py").write_text


def is_plain(worker: Launched) -> bool:
    return b"failsoft.gpu.process.plain_worker" in Path(f"/proc/{worker.pid}/cmdline").read_bytes()


async def answer_of(worker: Launched) -> str:
    return (await worker.reply_of(worker.run("fine", stream=False))).text


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (THREAD, "the preloaded modules have started threads (1)"),
        (CUDA, "the preloaded modules have initialised CUDA"),
        ("import os; os._exit(7)", "the template process ended twice"),
    ],
)
async def test_what_can_not_be_forked_is_started_plainly(
    write_module: Callable[[str], object], code: str, reason: str
) -> None:
    """WK-05 Each of two workers answers; one warning says why, and what it costs."""
    write_module(code)
    with structlog.testing.capture_logs() as logs:
        host = WorkerHost()
        workers = [await Launcher(host).ready(scripted(preload=(MODULE,))) for _ in range(2)]
        assert [is_plain(worker) for worker in workers] == [True, True]
        assert [await answer_of(worker) for worker in workers] == ["fine", "fine"]
        reaper = host.statistics().reaper_pid
        assert reaper is not None
        assert sorted(children_of(reaper)) == sorted(worker.pid for worker in workers)
        await host.aclose()
    (warning,) = [log for log in logs if log["log_level"] == "warning"]
    assert (warning["reason"], warning["preload"]) == (reason, [MODULE])
    assert "each start costs all imports" in warning["event"]


async def test_a_fork_that_fails_once_is_made_up_for(write_module: Callable[[str], object]) -> None:
    """The kernel has no room for a copy of the template: a small process does; others fork on."""
    write_module(NO_FORK)
    with structlog.testing.capture_logs() as logs:
        host = WorkerHost()
        worker = await Launcher(host).ready(scripted(preload=(MODULE,)))
        assert is_plain(worker)
        assert await answer_of(worker) == "fine"
        assert not is_plain(await Launcher(host).ready(scripted()))
        await host.aclose()
    (warning,) = [log for log in logs if log["log_level"] == "warning"]
    assert warning["reason"] == "no process could be made: Cannot allocate memory"


async def test_others_are_forked_as_ever(
    launch: Launcher, write_module: Callable[[str], object]
) -> None:
    """What one set of modules does is nothing to another."""
    write_module(THREAD)
    assert is_plain(await launch.ready(scripted(preload=(MODULE,))))
    assert not is_plain(await launch.ready(scripted()))


async def test_what_our_own_workers_preload_can_be_forked(launch: Launcher) -> None:
    """None of torch, transformers and diffusers starts a thread when it is imported."""
    worker = await launch.ready(scripted(preload=image_worker("none").preload))
    assert not is_plain(worker)


@pytest.mark.parametrize(
    ("act", "status"), [(Exit(3), 3), (Die(signal.SIGKILL), -signal.SIGKILL), (None, 0)]
)
async def test_its_end_is_told(
    host: WorkerHost,
    launch: Launcher,
    write_module: Callable[[str], object],
    act: Exit | Die | None,
    status: int,
) -> None:
    """WK-01 Killed, fallen or stopped: its status is known, and no zombie is left."""
    write_module(THREAD)
    rules = [] if act is None else [When("bad", [act])]
    worker = await launch.ready(scripted(Script(rules=rules), preload=(MODULE,)))
    if act is None:
        await worker.process.stop()
    else:
        worker.run("bad")
    assert (await worker.ended()).exit_status == status
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    assert children_of(reaper) == []


async def test_it_dies_with_the_reaper(
    host: WorkerHost, launch: Launcher, write_module: Callable[[str], object]
) -> None:
    """WK-04 By the kernel's hand, even when it is stopped."""
    write_module(THREAD)
    worker = await launch.ready(scripted(preload=(MODULE,)))
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    pidfds = watch([worker.pid])
    os.kill(worker.pid, signal.SIGSTOP)
    os.kill(reaper, signal.SIGKILL)
    assert still_alive_after(pidfds, 2.0) == set()
    assert (await worker.ended()).reason == "it ended with the parent of all workers"


async def test_its_helpers_end_with_it(
    launch: Launcher, write_module: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the leader of a group of its own, which is ended."""
    write_module(THREAD)
    monkeypatch.setattr(sys, "path", [*sys.path, str(HERE)])
    worker = await launch(WorkerSpec(engine="helper_engine:HelperEngine", preload=(MODULE,)))
    helper = (await worker.ready()).info["helper"]
    assert is_plain(worker)
    pidfds = watch([helper])
    worker.process.kill("enough")
    await worker.ended()
    assert still_alive_after(pidfds, 2.0) == set()


async def test_it_looks_as_a_forked_one_does(
    launch: Launcher, write_module: Callable[[str], object]
) -> None:
    """WK-18 Four descriptors, no signal held back, a group of its own, and the worker's name."""
    write_module(THREAD)
    plain, forked = [await launch.at_rest(scripted(preload=p)) for p in ((MODULE,), ())]
    assert name_of(plain.pid) == name_of(forked.pid) == "failsoft-worker"
    assert os.getpgid(plain.pid) == plain.pid
    for name in ("SigBlk", "SigIgn", "SigCgt", "Threads"):
        assert status_of(plain.pid, name) == status_of(forked.pid, name)
    assert opened_by(plain.pid) == opened_by(forked.pid) == {0, 1, 2, 3}
    # A program that the engine starts must not keep the wire open.
    assert is_kept_from_programs(plain.pid, 3)


def status_of(pid: int, field: str) -> str:
    """Give a field of a process's status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(f"{field}:")]
    return value


def opened_by(pid: int) -> set[int]:
    return {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}


def is_kept_from_programs(pid: int, descriptor: int) -> bool:
    lines = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().splitlines()
    (flags,) = [line.split()[1] for line in lines if line.startswith("flags:")]
    return bool(int(flags, 8) & os.O_CLOEXEC)
