"""Loads that fail: told as such, with what to do, and then the process is gone."""

from __future__ import annotations

import pytest

from failsoft.gpu import WorkerSpec
from failsoft.gpu.script import (
    BreakDevice,
    Die,
    Exit,
    Progress,
    Raise,
    RunOutOfMemory,
    Say,
    Script,
    WaitFor,
)
from failsoft.gpu.scripted import ENGINE, scripted
from failsoft.messages.frames import Heartbeat, Hello, LoadFailed, Loading, Ready, Warming
from failsoft.testing import Gate

from .launched import Launcher

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            scripted(Script(load=[Raise("model_loading_failed", "no such folder")])),
            "no such folder",
        ),
        (scripted(Script(load=[RunOutOfMemory()])), "not enough memory"),
        (scripted(Script(load=[Raise("a bug")])), "raised RuntimeError"),
        (scripted(Script(load=[BreakDevice()])), "raised RuntimeError"),
        (scripted(Script(load=[Say("words")])), "raised ValueError"),
        (scripted(Script(warm_up=[RunOutOfMemory()])), "not enough memory"),
        (scripted(Script(warm_up=[Raise("a bug")])), "raised RuntimeError"),
        (WorkerSpec(engine="no_such_module:Engine"), "no module 'no_such_module'"),
        (WorkerSpec(engine="failsoft.gpu.scripted:NoSuch"), "has no engine 'NoSuch'"),
        (WorkerSpec(engine=ENGINE, options={"lod": []}), "its options do not fit"),
        (WorkerSpec(engine="json:JSONDecoder"), "is no engine"),
        (WorkerSpec(engine=ENGINE, preload=("json", "no_such_module")), "'no_such_module'"),
    ],
)
async def test_a_failed_load_says_why(launch: Launcher, spec: WorkerSpec, words: str) -> None:
    """WK-07 One LoadFailed with the cause, then the process ends; no internals are shown."""
    worker = await launch(spec)
    failed = await worker.report(LoadFailed)
    gone = await worker.ended()
    assert words in failed.error.message
    assert failed.error.kind == "model_loading_failed"
    assert "Traceback" not in failed.error.message
    assert not gone.was_asked
    assert words in gone.reason
    assert not [report for report in worker.reports if isinstance(report, Ready)]


async def test_a_worker_tells_that_it_warms_up_before_it_is_ready(
    launch: Launcher, gate: Gate
) -> None:
    """A request that comes meanwhile is answered after it."""
    worker = await launch(scripted(Script(load=[Progress(2, 2)], warm_up=[WaitFor(gate.path)])))
    await worker.report(Warming)
    asked = worker.run("early")
    assert not [report for report in worker.reports if isinstance(report, Ready)]
    gate.open()
    await worker.end_of(asked)
    kinds = [type(r) for r in worker.reports if not isinstance(r, Heartbeat | Loading)]
    assert kinds[:3] == [Hello, Warming, Ready]


async def test_the_cause_of_a_failed_load_is_in_the_log(launch: Launcher) -> None:
    """WK-07 What the error doesn't show, the log does."""
    worker = await launch(scripted(Script(load=[Raise("a bug", "the inner cause")])))
    await worker.ended()
    (line,) = [line for line in worker.lines if line.level == "warning"]
    assert "the inner cause" in line.fields["exception"]


@pytest.mark.parametrize(("act", "status"), [(Exit(3), 3), (Exit(0), 0), (Die(), -9), (Die(6), -6)])
async def test_a_process_that_ends_while_it_loads(
    launch: Launcher, act: Exit | Die, status: int
) -> None:
    """WK-01 However it ends, that is told with its status."""
    worker = await launch(scripted(Script(load=[act])))
    gone = await worker.ended()
    assert gone.exit_status == status
    assert not gone.was_asked


async def test_a_missing_extra_is_named() -> None:
    """What to install is said where it is known."""
    from failsoft.gpu.loading.import_failure import explain_import_failure

    missing = ModuleNotFoundError("No module named 'torch'", name="torch")
    assert "pip install 'failsoft[torch]'" in explain_import_failure("my.engine", missing)
    assert "my.engine" in explain_import_failure("my.engine", ImportError("/secret/path"))
    assert "secret" not in explain_import_failure("my.engine", ImportError("/secret/path"))
