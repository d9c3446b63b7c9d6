"""The processes behind the workers: reaper and templates die, and are replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from failsoft.gpu import WorkerHost
from failsoft.gpu.process import reaper_process
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import LoadFailed
from failsoft.testing import Gate

from .launched import (
    PATIENCE,
    Launcher,
    children_of,
    exists,
    name_of,
    still_alive_after,
    watch,
)

pytestmark = pytest.mark.anyio


MODULE = "preloaded_by_a_test"


def templates_of(host: WorkerHost) -> list[int]:
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    return [pid for pid in children_of(reaper) if name_of(pid) == "failsoft-templ"]


async def test_workers_go_on_without_their_template(host: WorkerHost, launch: Launcher) -> None:
    """WK-05 The template is killed: workers live, and the next one comes from a new template."""
    worker = await launch.ready(scripted())
    (template,) = templates_of(host)
    pidfds = watch([template])
    os.kill(template, signal.SIGKILL)
    assert still_alive_after(pidfds, 10) == set()
    assert (await worker.reply_of(worker.run("alive", stream=False))).text == "alive"
    later = await launch.ready(scripted())
    (another,) = templates_of(host)
    assert another != template
    assert host.statistics().reapers == 1
    async with asyncio.timeout(PATIENCE):
        # The process between is waited for, sooner or later, which nothing tells.
        while children_of(another):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for one in (worker, later):
        await one.process.stop()
        assert (await one.ended()).exit_status == 0


async def test_a_template_killed_again_and_again(host: WorkerHost, launch: Launcher) -> None:
    """WK-05 Killed right before each request: each worker comes up all the same."""
    await launch.ready(scripted())
    for _ in range(10):
        for template in templates_of(host):
            os.kill(template, signal.SIGKILL)
        await launch.ready(scripted())
    assert host.statistics().workers == 11


async def test_one_template_for_each_set_of_modules(host: WorkerHost, launch: Launcher) -> None:
    """Workers with the same modules share one; others have their own."""
    for preload in ((), ("json",), ("json",), ()):
        await launch.ready(scripted(preload=preload))
    assert len(templates_of(host)) == 2


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Give what writes the code of ``MODULE``, to be preloaded."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return (tmp_path / f"{MODULE}.py").write_text


async def test_preloaded_modules_are_there(write_module: Callable[[str], object]) -> None:
    """They come from where the service looks, and are imported once, in the template."""
    write_module("print('imported')")
    with structlog.testing.capture_logs() as logs:
        host = WorkerHost()
        workers = [await Launcher(host).ready(scripted(preload=(MODULE,))) for _ in range(2)]
        await host.aclose()
    assert [log["event"] for log in logs] == ["imported"]
    assert [line for worker in workers for line in worker.lines] == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_thing", "There is no module 'no_such_thing'"),
        ("raise RuntimeError('/secret')", "'preloaded_by_a_test' could not be imported (Runtime"),
        ("raise SystemExit", "could not be imported (SystemExit)"),
        ("this is no Python", "could not be imported (SyntaxError)"),
    ],
)
async def test_a_preload_that_fails_says_so(
    launch: Launcher, write_module: Callable[[str], object], code: str, words: str
) -> None:
    """A typed failure for whoever asked, each time, and no hang."""
    write_module(code)
    for _ in range(2):
        worker = await launch(scripted(preload=(MODULE,)))
        failed = await worker.report(LoadFailed)
        assert failed.error.kind == "model_loading_failed"
        assert words in failed.error.message
        assert "secret" not in failed.error.message
        gone = await worker.ended()
        assert (gone.pid, gone.exit_status, gone.was_asked) == (None, None, False)


async def test_a_preload_that_hangs(
    host: WorkerHost, launch: Launcher, write_module: Callable[[str], object], gate: Gate
) -> None:
    """The load's hang limit covers it; the template is ended, and another one asked next time."""
    write_module(f"open({gate.path!r}).close()")
    spec = scripted(preload=(MODULE,), load_hang_limit=0.5)
    worker = await launch(spec)
    gone = await worker.ended()
    assert gone.was_hung
    assert gone.reason == "its load has not moved for 0.5 s"
    write_module("")
    await launch.ready(scripted(preload=(MODULE,)))
    assert host.statistics().reapers == 1


async def test_one_that_is_no_longer_wanted_leaves_the_others(
    launch: Launcher, write_module: Callable[[str], object], gate: Gate
) -> None:
    """Stopped while the template still imports: the other one that waits for it comes up."""
    write_module(f"open({gate.path!r}).close()")
    unwanted, wanted = [await launch(scripted(preload=(MODULE,))) for _ in range(2)]
    await unwanted.process.stop()
    gone = await unwanted.ended()
    assert (gone.pid, gone.was_asked) == (None, True)
    gate.open()
    await wanted.ready()


async def test_one_that_is_no_longer_wanted_and_a_template_that_is_stuck(
    host: WorkerHost, launch: Launcher
) -> None:
    """Stopped while a stuck template has it in hand: it is gone, and nobody else suffers."""
    worker = await launch.ready(scripted())
    (template,) = templates_of(host)
    os.kill(template, signal.SIGSTOP)
    unwanted, late = await launch(scripted()), await launch(scripted())
    await unwanted.process.stop()
    assert (await unwanted.ended()).pid is None
    os.kill(template, signal.SIGCONT)
    await late.ready()
    assert (await worker.reply_of(worker.run("alive", stream=False))).text == "alive"
    assert (host.statistics().workers, host.statistics().reapers) == (2, 1)


async def test_a_stuck_template_is_replaced(host: WorkerHost, launch: Launcher) -> None:
    """WK-05 One that is stopped is found by the load's limit; the worker it made lives."""
    worker = await launch.ready(scripted())
    (template,) = templates_of(host)
    os.kill(template, signal.SIGSTOP)
    stuck = await launch(scripted(load_hang_limit=0.5))
    assert (await stuck.ended()).was_hung
    await launch.ready(scripted())
    assert template not in templates_of(host)
    assert (await worker.reply_of(worker.run("alive", stream=False))).text == "alive"
    assert host.statistics().reapers == 1


async def test_a_dead_reaper_is_replaced(host: WorkerHost, launch: Launcher) -> None:
    """Its workers are told of as gone, and the next one has another reaper."""
    workers = [await launch.ready(scripted()) for _ in range(2)]
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    os.kill(reaper, signal.SIGKILL)
    for worker in workers:
        gone = await worker.ended()
        assert gone.reason == "it ended with the parent of all workers"
        assert not gone.was_asked
    assert not exists(reaper)
    await launch.ready(scripted())
    assert host.statistics().reapers == 2


async def test_a_reaper_that_dies_before_it_answers(host: WorkerHost, launch: Launcher) -> None:
    """Who waits for a worker is told that there is none."""
    worker = await launch(scripted())
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    os.kill(reaper, signal.SIGKILL)
    gone = await worker.ended()
    assert gone.exit_status is None
    assert not gone.was_asked
    await launch.ready(scripted())


async def test_a_worker_of_a_stopped_reaper_can_be_killed(
    host: WorkerHost, launch: Launcher
) -> None:
    """The kill needs no reaper; only the status can't be told."""
    worker = await launch.ready(scripted())
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    os.kill(reaper, signal.SIGSTOP)
    worker.process.kill("enough")
    gone = await worker.ended()
    assert (gone.reason, gone.exit_status) == ("enough", None)
    os.kill(reaper, signal.SIGCONT)


async def test_a_reaper_that_does_not_answer_is_replaced(
    host: WorkerHost, launch: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed at a bound, and its workers with it; then all works again."""
    monkeypatch.setattr(reaper_process, "ANSWER_LIMIT", 0.5)
    old = await launch.ready(scripted())
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    os.kill(reaper, signal.SIGSTOP)
    stuck = await launch(scripted(load_hang_limit=0.5))
    assert (await stuck.ended()).was_hung
    await old.ended()
    await launch.ready(scripted())
    assert host.statistics().reapers == 2


async def test_the_end_of_a_host_whose_reaper_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """aclose has a bound, too."""
    monkeypatch.setattr(reaper_process, "ANSWER_LIMIT", 0.5)
    monkeypatch.setattr(reaper_process, "END_LIMIT", 0.5)
    host = WorkerHost()
    worker = await Launcher(host).ready(scripted())
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    os.kill(reaper, signal.SIGSTOP)
    await host.aclose()
    assert not exists(reaper)
    assert (await worker.ended()).was_asked


async def test_no_zombies_are_left(host: WorkerHost, launch: Launcher) -> None:
    """After workers of all kinds of ends the reaper has its template alone."""
    workers = [await launch.ready(scripted()) for _ in range(4)]
    os.kill(workers[0].pid, signal.SIGTERM)
    workers[1].process.kill("enough")
    await asyncio.gather(*(worker.process.stop() for worker in workers))
    reaper = host.statistics().reaper_pid
    assert reaper is not None
    assert children_of(reaper) == templates_of(host)
    assert children_of(templates_of(host)[0]) == []
