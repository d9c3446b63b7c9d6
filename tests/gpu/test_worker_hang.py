"""Hung workers are found; slow ones are left alone."""

from __future__ import annotations

import os
import signal

import pytest

from failsoft.gpu.script import Grow, Pause, Progress, Say, Script, Stall, When
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import Heartbeat, Loading

from .launched import Launcher

pytestmark = pytest.mark.anyio


async def has_template(launch: Launcher) -> None:
    """Have what comes next be made at once: the time for that counts as part of a load."""
    await launch.ready(scripted())


async def test_a_stopped_worker_is_found_by_its_missing_heartbeats(launch: Launcher) -> None:
    """WK-02 SIGSTOP: killed, and counted as hung."""
    worker = await launch.ready(scripted(heartbeat_every=0.05, heartbeat_limit=0.5))
    os.kill(worker.pid, signal.SIGSTOP)
    gone = await worker.ended()
    assert (gone.was_hung, gone.was_asked, gone.exit_status) == (True, False, -signal.SIGKILL)
    assert gone.reason == "it has given no sign of life for 0.5 s"


async def test_a_stuck_worker_is_found_by_its_missing_steps(launch: Launcher) -> None:
    """WK-02 The heartbeat goes on, the request doesn't: killed, and counted as hung."""
    worker = await launch.ready(
        scripted(Script(otherwise=[Stall()]), heartbeat_every=0.05, first_step_limit=0.5)
    )
    id = worker.run()
    gone = await worker.ended()
    assert gone.was_hung
    assert gone.reason == "it has made no step for 0.5 s with a request in hand"
    beats = [report for report in worker.reports if isinstance(report, Heartbeat)]
    assert sum(beat.running == (id,) for beat in beats) > 1
    assert worker.ends_of(id) == []


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stall_after_the_first_word_is_found_by_the_limit_of_the_others(
    launch: Launcher, stream: bool
) -> None:
    """WK-02 Whoever is told of that word; a first step would have all the time it wants."""
    says = Script(otherwise=[Say("one"), Stall()])
    spec = scripted(says, heartbeat_every=0.05, hang_limit=0.5, first_step_limit=600.0)
    worker = await launch.ready(spec)
    worker.run(stream=stream)
    gone = await worker.ended()
    assert gone.reason == "it has made no step for 0.5 s with a request in hand"


async def test_a_prompt_that_is_slow_to_read_is_not_a_hang(launch: Launcher) -> None:
    """WK-03 The first step takes far longer than those after it may."""
    slow = Script(otherwise=[Pause(0.8), Say("one two")])
    spec = scripted(slow, heartbeat_every=0.05, hang_limit=0.3, first_step_limit=60.0)
    worker = await launch.ready(spec)
    await worker.reply_of(worker.run(stream=False))
    assert worker.gone == []


@pytest.mark.parametrize("load", [[Stall()], [Progress(1, 2), Stall()]])
async def test_a_load_that_does_not_move_is_hung(
    launch: Launcher, load: list[Progress | Stall]
) -> None:
    """WK-02 A stuck load is found by its missing progress, heartbeat or not."""
    worker = await launch(scripted(Script(load=load), heartbeat_every=0.05, load_hang_limit=1.0))
    gone = await worker.ended()
    assert gone.was_hung
    assert gone.reason == "its load has not moved for 1 s"


async def test_an_idle_worker_is_not_hung(launch: Launcher) -> None:
    """No request, no steps: many times the hang limit pass, and it answers."""
    worker = await launch.ready(scripted(heartbeat_every=0.05, first_step_limit=0.5))
    seen = len(worker.reports)
    await worker.until(lambda: len(worker.reports) > seen + 40 or None)
    await worker.reply_of(worker.run("still here", stream=False))
    assert worker.gone == []


async def test_slow_steps_are_not_a_hang(launch: Launcher) -> None:
    """WK-03 An answer that takes many times the hang limit, in steps that show nothing."""
    slow = When("slow", [Pause(0.1, steps=20)])
    worker = await launch.ready(
        scripted(Script(rules=[slow]), heartbeat_every=0.05, first_step_limit=0.8)
    )
    await worker.reply_of(worker.run("slow", stream=False))
    assert worker.gone == []


async def test_a_slow_load_is_not_a_hang(launch: Launcher) -> None:
    """WK-03 A load of many times the limit that moves; its last progress is always told."""
    load = [act for n in range(1, 21) for act in (Pause(0.1), Progress(n, 20))]
    await has_template(launch)
    worker = await launch(scripted(Script(load=load), load_hang_limit=0.8))
    await worker.ready()
    told = [report.done for report in worker.reports if isinstance(report, Loading)]
    assert told == sorted(told)
    assert told[-1] == 20


async def test_a_load_that_tells_nothing_but_moves_bytes_is_not_a_hang(launch: Launcher) -> None:
    """WK-03 An engine that fetches a file can't tell how far it is; its memory or files grow."""
    load = [act for _ in range(8) for act in (Pause(0.25), Grow(1))]
    await has_template(launch)
    worker = await launch(scripted(Script(load=load), heartbeat_every=0.05, load_hang_limit=1.0))
    await worker.ready()


async def test_progress_comes_at_most_twenty_times_a_second(launch: Launcher) -> None:
    """Thousands of reports from the engine become few frames, the last one among them."""
    load = [Progress(n, 5_000) for n in range(1, 5_001)]
    worker = await launch(scripted(Script(load=load)))
    await worker.ready()
    told = [report.done for report in worker.reports if isinstance(report, Loading)]
    assert told[-1] == 5_000
    assert len(told) < 500
