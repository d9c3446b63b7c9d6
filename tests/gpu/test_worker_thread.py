"""Workers in threads: the laws of a process, as far as a thread can keep them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, ClassVar

import pytest
import structlog

from failsoft.gpu import WorkerHost, WorkerSpec, worker_thread_statistics
from failsoft.gpu.script import (
    Act,
    BreakDevice,
    Die,
    Exit,
    Garble,
    Log,
    Pause,
    Progress,
    Say,
    Script,
    WaitFor,
    When,
)
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.messages.frames import Cancel, Done, Hello, Inject, LoadFailed, Loading, Ready
from failsoft.testing import Gate

from .launched import PATIENCE, Launcher

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("_no_thread_is_left")]


def threaded(script: Script | None = None, **spec: Any) -> WorkerSpec:
    return scripted(script, run_in="thread", heartbeat_every=0.05, **spec)


def worker_threads() -> list[threading.Thread]:
    """Give the threads of workers and of their helpers."""
    names = ("root/model worker", "commands", "heartbeat")
    return [thread for thread in threading.enumerate() if thread.name in names]


async def left_to_itself() -> None:
    """Wait until what was abandoned has ended by itself."""
    async with asyncio.timeout(PATIENCE):
        for thread in worker_threads():
            await asyncio.to_thread(thread.join, PATIENCE)


@pytest.fixture
async def _no_thread_is_left(host: WorkerHost, launch: Launcher, gate: Gate) -> AsyncIterator[None]:
    """Open the gate for all that wait at it; then every thread must end, and no process be."""
    yield
    for worker in launch.launched:
        worker.process.kill("the test is over")
    gate.open()
    await left_to_itself()
    assert worker_threads() == []
    now = worker_thread_statistics()
    assert (now.running, now.abandoned) == (0, 0)
    assert host.statistics().reapers == 0


# -- answering


async def test_a_worker_loads_answers_and_stops(launch: Launcher) -> None:
    """Hello, progress, ready, answers, an end that was asked for, and no thread is left."""
    worker = await launch(threaded(Script(load=[Progress(1, 2), Progress(2, 2)])))
    await worker.ready()
    assert worker_thread_statistics().running == 1
    streamed = worker.run("one two three")
    whole = worker.run("four five", stream=False)
    assert (await worker.reply_of(whole)).text == "four five"
    await worker.process.stop()
    assert worker_threads() == []
    gone = await worker.ended()
    kinds = [type(report) for report in worker.reports]
    assert kinds[0] is Hello
    assert kinds.index(Loading) < kinds.index(Ready)
    assert worker.text_of(streamed) == "one two three"
    assert len(worker.ends_of(streamed)) == 1
    assert (gone.pid, gone.exit_status, gone.was_asked) == (None, None, True)
    assert (gone.was_hung, gone.was_abandoned) == (False, False)


async def test_it_has_no_pid(launch: Launcher) -> None:
    """The service's own pid would be taken for a worker's, and killed."""
    worker = await launch.ready(threaded())
    assert (worker.process.pid, (await worker.hello()).pid) == (None, 0)
    await worker.process.stop()


async def test_requests_are_answered_in_order_of_arrival(launch: Launcher) -> None:
    """Many at once: each is answered once, one after the other."""
    worker = await launch.ready(threaded())
    ids = [worker.run(f"number {n}") for n in range(50)]
    await worker.end_of(ids[-1])
    assert [report.id for report in worker.reports if isinstance(report, Done)] == ids
    assert [worker.text_of(id) for id in ids] == [f"number {n}" for n in range(50)]
    await worker.process.stop()


async def test_cancel_and_deadline_stop_at_the_next_step(launch: Launcher) -> None:
    """WK-11 WK-12 The next request is answered."""
    long = Script(rules=[When("long", [Say("well "), Pause(0.01, steps=100_000)])])
    worker = await launch.ready(threaded(long))
    left = worker.run("long")
    await worker.first_chunk_of(left)
    worker.process.send(Cancel(left))
    late = worker.run("long", deadline=time.monotonic() + 0.3)
    assert (await worker.failure_of(left)).error.kind == "cancelled"
    assert (await worker.failure_of(late)).error.kind == "inference_timeout"
    assert (await worker.reply_of(worker.run("hello", stream=False))).text == "hello"
    await worker.process.stop()


async def test_a_fault_on_command_is_the_requests_answer(launch: Launcher) -> None:
    """WK-08 The same hooks as in a process."""
    worker = await launch.ready(threaded(fault_hooks=True))
    worker.process.send(Inject("oom"))
    assert (await worker.failure_of(worker.run())).error.kind == "out_of_memory"
    assert (await worker.reply_of(worker.run("well", stream=False))).text == "well"
    await worker.process.stop()


@pytest.mark.parametrize("act", [Exit(3), Die(), Garble("cut")])
async def test_a_script_does_not_end_its_host(launch: Launcher, act: Act) -> None:
    """What ends a process is refused by name, where that is the test's own."""
    worker = await launch.ready(threaded(Script(rules=[When("end", [act])])))
    failed = await worker.failure_of(worker.run("end"))
    assert failed.error.kind == "generation_failed"
    assert (await worker.reply_of(worker.run("on", stream=False))).text == "on"
    await worker.process.stop()


class Leaving:
    """Exit, as programs do, where the options say."""

    requests: ClassVar[tuple[type, ...]] = (GenerateText,)

    def __init__(self, *, where: str) -> None:
        self._where = where

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        self._leave("load")
        return {}

    def generate(self, request: GenerateText) -> Generator[None, None, None]:
        self._leave("step")
        if self._where == "interrupt":
            raise KeyboardInterrupt
        yield None

    def unload(self) -> None: ...

    def _leave(self, where: str) -> None:
        if self._where == where:
            raise SystemExit(3)


def leaving(where: str) -> WorkerSpec:
    return WorkerSpec(engine=f"{__name__}:Leaving", options={"where": where}, run_in="thread")


async def test_an_engine_that_exits_is_an_engine_that_failed(launch: Launcher) -> None:
    """SystemExit ends nothing: not the thread, not the service."""
    worker = await launch.ready(leaving("step"))
    for _ in range(2):
        assert (await worker.failure_of(worker.run())).error.kind == "generation_failed"
    await worker.process.stop()


async def test_an_engine_that_exits_while_it_loads_is_a_failed_load(launch: Launcher) -> None:
    """WK-07 Told, and then the thread ends."""
    worker = await launch(leaving("load"))
    await worker.report(LoadFailed)
    gone = await worker.ended()
    assert gone.reason.startswith("its load failed: ")
    assert (gone.was_asked, gone.was_abandoned) == (False, False)


@pytest.mark.usefixtures("plain_logs")
async def test_what_no_engine_may_raise_ends_the_thread_and_is_told(launch: Launcher) -> None:
    """The one listener there is hears of it once."""
    worker = await launch.ready(leaving("interrupt"))
    worker.run()
    gone = await worker.ended()
    assert gone.reason == "its thread has ended; see the log"
    assert not gone.was_abandoned


# -- ends


async def test_stop_waits_for_what_is_in_hand(launch: Launcher, gate: Gate) -> None:
    """Within the grace; what comes later is refused."""
    script = Script(rules=[When("wait", [Say("one "), WaitFor(gate.path), Say("two")])])
    worker = await launch.ready(threaded(script, stop_grace=PATIENCE))
    id = worker.run("wait")
    await worker.first_chunk_of(id)
    worker.process.ask_to_stop()
    refused = worker.run("more")
    assert (await worker.failure_of(refused)).error.kind == "model_overloaded"
    gate.open()
    gone = await worker.ended()
    assert worker.text_of(id) == "one two"
    assert (gone.was_asked, gone.was_abandoned) == (True, False)


async def test_what_does_not_stop_in_time_is_abandoned(launch: Launcher, gate: Gate) -> None:
    """It was asked, so it is no failure; it is counted, and ends by itself later."""
    stuck = Script(otherwise=[Say("one"), WaitFor(gate.path)])
    worker = await launch.ready(threaded(stuck, stop_grace=0.1, term_grace=0.1))
    await worker.first_chunk_of(worker.run())
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.was_asked, gone.was_hung, gone.was_abandoned) == (True, False, True)
    assert worker_thread_statistics().abandoned == 1


async def test_a_killed_worker_leaves_at_its_next_step(launch: Launcher) -> None:
    """Nothing is abandoned where the engine moves."""
    talks = Script(otherwise=[Say("on and ", times=100_000)])
    worker = await launch.ready(threaded(talks, term_grace=PATIENCE))
    await worker.first_chunk_of(worker.run())
    worker.process.kill("the test says so")
    gone = await worker.ended()
    assert (gone.reason, gone.was_asked, gone.was_abandoned) == ("the test says so", False, False)
    assert worker_threads() == []


async def test_one_that_is_stopped_before_it_has_its_orders_ends(launch: Launcher) -> None:
    """They would never come."""
    worker = await launch(threaded(term_grace=PATIENCE))
    await worker.process.stop()
    assert not (await worker.ended()).was_abandoned


async def test_a_stop_calls_the_load_off(launch: Launcher) -> None:
    """At the next progress that it tells; nobody waits for its end."""
    load: list[Act] = [act for n in range(1000) for act in (Pause(0.02), Progress(n, 1000))]
    worker = await launch(threaded(Script(load=load), term_grace=PATIENCE))
    await worker.report(Loading)
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.was_asked, gone.was_abandoned) == (True, False)
    assert not worker.is_told(Ready)


async def test_a_load_that_stands_still_is_abandoned_when_nobody_waits_for_it(
    launch: Launcher, gate: Gate
) -> None:
    """After ``term_grace``; what requests may take doesn't count."""
    load = Script(load=[Progress(1, 2), WaitFor(gate.path)])
    worker = await launch(threaded(load, stop_grace=PATIENCE, term_grace=0.1))
    await worker.report(Loading, lambda loading: loading.done == 1)
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.was_asked, gone.was_abandoned) == (True, True)


# -- hangs


@pytest.mark.parametrize("load", [False, True])
@pytest.mark.usefixtures("plain_logs")
async def test_a_hang_is_found_and_the_thread_abandoned(
    launch: Launcher, gate: Gate, load: bool
) -> None:
    """WK-02 It is counted, and once it moves it ends; what it says by then goes nowhere."""
    stuck: list[Act] = [WaitFor(gate.path), Progress(1, 2) if load else Say("late")]
    script = Script(load=stuck) if load else Script(otherwise=stuck)
    before = worker_thread_statistics().abandoned_in_all
    worker = await launch(threaded(script, first_step_limit=0.5, load_hang_limit=0.5))
    if not load:
        await worker.ready()
        worker.run()
    gone = await worker.ended()
    assert (gone.was_hung, gone.was_asked, gone.was_abandoned) == (True, False, True)
    now = worker_thread_statistics()
    assert (now.running, now.abandoned, now.abandoned_in_all - before) == (0, 1, 1)
    told = len(worker.reports)
    gate.open()
    await left_to_itself()
    assert worker_thread_statistics().abandoned == 0
    assert len(worker.reports) == told


async def test_what_the_service_reads_is_no_movement_of_a_load(
    launch: Launcher, gate: Gate
) -> None:
    """WK-02 A busy service would hide a load that hangs."""
    load = Script(load=[Progress(1, 2), WaitFor(gate.path)])
    worker = await launch(threaded(load, load_hang_limit=0.5))
    async with asyncio.timeout(PATIENCE):
        with open("/dev/zero", "rb") as zeros:  # noqa: ASYNC230, PTH123 - never waits
            while not worker.gone:
                zeros.read(1 << 20)
                await asyncio.sleep(0)
    assert worker.gone[0].was_hung


async def test_a_slow_worker_is_not_abandoned(launch: Launcher) -> None:
    """WK-03 Steps that take their time, many limits long."""
    slow = Script(otherwise=[Pause(0.1, steps=15)])
    worker = await launch.ready(threaded(slow, first_step_limit=0.5, hang_limit=0.5))
    await worker.reply_of(worker.run(stream=False))
    assert worker.gone == []
    await worker.process.stop()


@pytest.mark.usefixtures("plain_logs")
async def test_too_many_that_were_abandoned_keep_others_from_starting(
    launch: Launcher, gate: Gate
) -> None:
    """WK-07 Each may hold a model. When one has ended, there is room again."""
    stuck = Script(otherwise=[Say("one"), WaitFor(gate.path)])
    for _ in range(2):
        hung = await launch.ready(threaded(stuck, hang_limit=0.2))
        hung.run()
        assert (await hung.ended()).was_abandoned
    refused = await launch(threaded(most_abandoned=2))
    failed = await refused.report(LoadFailed)
    assert failed.error.message.startswith("2 threads of workers that hung are still there")
    assert "run_in='process'" in failed.error.message
    assert not (await refused.ended()).was_asked
    gate.open()
    await left_to_itself()
    worker = await launch.ready(threaded(most_abandoned=2))
    await worker.process.stop()


async def test_loads_take_turns(launch: Launcher, gate: Gate) -> None:
    """They change what all threads share. One that waits isn't hung; one that hangs is passed."""
    hangs = threaded(Script(load=[Progress(1, 2), WaitFor(gate.path)]), load_hang_limit=1.0)
    first = await launch(hangs)
    await first.report(Loading, lambda loading: loading.done == 1)
    second = await launch(threaded(Script(load=[Progress(3, 3)]), load_hang_limit=0.8))
    for _ in range(3):
        second.reports.clear()
        await second.report(Loading, lambda loading: not second.is_told(Ready))
    assert (await first.ended()).was_hung
    await second.ready()
    assert second.gone == []
    await second.process.stop()


async def test_a_stuck_thread_does_not_hold_up_the_interpreters_end() -> None:
    """A service that has stopped is over, whatever its engines do."""
    program = """
import asyncio
from failsoft.actors import ModelActor, System
from failsoft.gpu.script import Progress, Script, Stall
from failsoft.gpu.scripted import scripted
from failsoft.messages.events import ModelLoading
from failsoft.testing import EventRecorder, Gate

async def main():
    spec = scripted(Script(load=[Progress(1, 2), Stall()]), run_in="thread", term_grace=0.1)
    async with System() as system:
        events = EventRecorder(system)
        await system.spawn(lambda: ModelActor(spec), "model")
        await events.wait_for(ModelLoading, done_bytes=1)

asyncio.run(main())
"""
    command = [sys.executable, "-c", program]
    ended = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 0, ended.stderr
    assert "a worker's thread is abandoned" in ended.stdout


# -- what is the process's


async def test_log_lines_have_the_correlation_id_and_the_path_and_lend_them_to_nobody(
    launch: Launcher,
) -> None:
    """WK-17 They go through the service's own log, since its output isn't captured."""
    lines = structlog.testing.LogCapture()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, lines])
    try:
        worker = await launch.ready(threaded(Script(rules=[When("log", [Log("hello")])])))
        await worker.end_of(worker.run("log", correlation_id="abc"))
        await worker.end_of(worker.run("log"))
        await worker.process.stop()
    finally:
        structlog.reset_defaults()
    told = [(line["path"], line.get("correlation_id")) for line in lines.entries]
    assert told == [("root/model", "abc"), ("root/model", None)]
    assert structlog.contextvars.get_contextvars() == {}
    assert worker.lines == []


async def test_the_process_is_left_as_it_is(launch: Launcher) -> None:
    """How often threads change places, and the chance of others, are the host program's."""
    import numpy
    import torch

    def settings() -> list[Any]:
        chance = numpy.random.get_state(legacy=False)["state"]["key"].tolist()
        return [sys.getswitchinterval(), torch.get_num_threads(), torch.initial_seed(), chance]

    before = settings()
    worker = await launch.ready(threaded())
    assert settings() == before
    await worker.process.stop()


async def test_a_device_that_broke_is_named_with_the_remedy(launch: Launcher) -> None:
    """WK-09 Another thread would find it broken, too."""
    worker = await launch.ready(threaded(Script(rules=[When("bad", [BreakDevice()])])))
    assert (await worker.failure_of(worker.run("bad"))).sticky
    gone = await worker.ended()
    assert "run_in='process'" in gone.reason
