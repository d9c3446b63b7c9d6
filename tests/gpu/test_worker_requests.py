"""Requests in a worker: cancelled, late, failed. Each has exactly one end."""

from __future__ import annotations

import time

import pytest

from failsoft.gpu.script import (
    Act,
    Log,
    Pause,
    Raise,
    RunOutOfMemory,
    Say,
    Script,
    WaitFor,
    When,
)
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.messages.frames import Began, Cancel, Heartbeat, Inject, Run
from failsoft.messages.wire import raw
from failsoft.testing import Gate

from .launched import Launcher

pytestmark = pytest.mark.anyio


async def test_a_cancelled_request_stops_within_a_step(launch: Launcher, gate: Gate) -> None:
    """WK-11 The step in hand is the last one; those that wait go on, their text unchanged."""
    talk: list[Act] = [Say("one "), Log("at the gate"), WaitFor(gate.path), Say("two three")]
    worker = await launch.ready(scripted(Script(rules=[When("talk", talk)])))
    id, other = worker.run("talk"), worker.run("what the other says")
    await worker.line("at the gate")
    worker.process.send(Cancel(id))
    # Commands are read in order: once this one is answered, that one is heeded.
    marker = worker.run("marker")
    worker.process.send(Cancel(marker))
    await worker.end_of(marker)
    gate.open()
    failed = await worker.failure_of(id)
    await worker.end_of(other)
    assert (failed.error.kind, failed.error.details) == ("cancelled", {"tokens": 2})
    assert worker.text_of(id) == "one two "
    assert worker.text_of(other) == "what the other says"
    assert len(worker.ends_of(id)) == 1


async def test_a_cancelled_request_that_waits_is_never_started(
    launch: Launcher, gate: Gate
) -> None:
    """WK-11 It is answered at once, while the one before it is still in hand."""
    worker = await launch.ready(
        scripted(Script(rules=[When("talk", [Say("a "), WaitFor(gate.path), Say("b")])]))
    )
    first, second = worker.run("talk"), worker.run("log me")
    await worker.first_chunk_of(first)
    worker.process.send(Cancel(second))
    assert (await worker.failure_of(second)).error.kind == "cancelled"
    assert worker.ends_of(first) == []
    gate.open()
    await worker.end_of(first)
    await worker.process.stop()
    assert worker.chunks_of(second) == []
    assert len(worker.ends_of(second)) == 1


async def test_cancelling_what_is_over_or_unknown_does_nothing(launch: Launcher) -> None:
    """The next request isn't touched by it."""
    worker = await launch.ready(scripted())
    id = worker.run()
    await worker.end_of(id)
    worker.process.send(Cancel(id))
    worker.process.send(Cancel(1_000))
    assert (await worker.reply_of(worker.run("next", stream=False))).text == "next"
    assert len(worker.ends_of(id)) == 1


async def test_a_deadline_mid_generation_stops_the_work(launch: Launcher) -> None:
    """WK-12 inference_timeout, with the time and the tokens made by then."""
    slow = When("slow", [Say("word " * 10_000, delay=0.01)])
    worker = await launch.ready(scripted(Script(rules=[slow])))
    # Enough for a first word, however busy the machine.
    id = worker.run("slow", deadline=time.monotonic() + 1.5)
    error = (await worker.failure_of(id)).error
    assert error.kind == "inference_timeout"
    assert error.details["tokens"] == len(worker.chunks_of(id)) > 0
    assert 0 < error.details["timeout_seconds"] < 30
    assert (await worker.reply_of(worker.run("next", stream=False))).text == "next"


async def test_a_deadline_that_has_passed_starts_nothing(launch: Launcher, gate: Gate) -> None:
    """WK-12 A request that waited too long gets its one end, and no work is done for it."""
    hold = When("hold", [Say("a "), WaitFor(gate.path)])
    log = When("log", [Log("started after all"), Say("x")])
    worker = await launch.ready(scripted(Script(rules=[hold, log])))
    first = worker.run("hold")
    await worker.first_chunk_of(first)
    late = worker.run("log", deadline=time.monotonic())
    gate.open()
    failed = await worker.failure_of(late)
    assert (failed.error.kind, failed.error.details["tokens"]) == ("inference_timeout", 0)
    await worker.process.stop()
    assert not [line for line in worker.lines if "after all" in line.event]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (RunOutOfMemory(), "out_of_memory"),
        (Raise("a bug", "the inner cause"), "generation_failed"),
        (Raise("invalid_input", "no such voice"), "invalid_input"),
        (Raise("context_length_exceeded", "too long"), "context_length_exceeded"),
    ],
)
async def test_an_engine_error_is_the_answer(
    launch: Launcher, act: RunOutOfMemory | Raise, kind: str
) -> None:
    """WK-08 Typed, with the correlation id, one end; the worker goes on."""
    worker = await launch.ready(scripted(Script(rules=[When("bad", [Say("a "), act])])))
    id = worker.run("bad", correlation_id="c-1")
    failed = await worker.failure_of(id)
    assert (failed.error.kind, failed.sticky) == (kind, False)
    assert failed.error.correlation_id == "c-1"
    assert "inner cause" not in failed.error.message
    assert worker.text_of(id) == "a "
    assert (await worker.reply_of(worker.run("good", stream=False))).text == "good"
    assert len(worker.ends_of(id)) == 1


async def test_out_of_memory_has_its_numbers(launch: Launcher) -> None:
    """WK-08 Used and available, in MiB, of this machine where there is no GPU."""
    worker = await launch.ready(scripted(Script(otherwise=[RunOutOfMemory()])))
    error = (await worker.failure_of(worker.run())).error
    assert error.details["memory_used_mb"] > 5
    assert error.details["memory_available_mb"] > 5
    assert not error.is_retryable


async def test_on_a_full_device_nothing_is_begun(launch: Launcher) -> None:
    """WK-08 Refused with both figures; it can't be suspected, and the worker goes on."""
    full = Script(device_memory=(95 << 20, 95 << 20, 100 << 20))
    worker = await launch.ready(scripted(full))
    for _ in range(2):
        error = (await worker.failure_of(worker.run())).error
        assert error.kind == "out_of_memory"
        assert error.details == {"memory_used_mb": 95.0, "memory_available_mb": 5.0}
    assert not worker.is_told(Began)


async def test_an_injected_fault_hits_the_running_request(launch: Launcher, gate: Gate) -> None:
    """The request in hand runs out of memory at its second step from then."""
    talk: list[Act] = [
        Say("one "),
        Log("at the gate"),
        WaitFor(gate.path),
        Say("two three four five"),
    ]
    worker = await launch.ready(scripted(Script(rules=[When("talk", talk)]), fault_hooks=True))
    id = worker.run("talk")
    await worker.line("at the gate")
    worker.process.send(Inject("oom", after_steps=1))
    # Commands are read in order: once this one is answered, the fault is armed.
    marker = worker.run("marker")
    worker.process.send(Cancel(marker))
    await worker.end_of(marker)
    gate.open()
    assert (await worker.failure_of(id)).error.kind == "out_of_memory"
    assert worker.text_of(id) == "one two three "


async def test_an_injected_fault_waits_for_the_next_request(launch: Launcher) -> None:
    """Where nothing runs, the next request has it, and only that one."""
    worker = await launch.ready(scripted(fault_hooks=True))
    worker.process.send(Inject("oom", after_steps=2))
    id = worker.run("one two three")
    assert (await worker.failure_of(id)).error.kind == "out_of_memory"
    assert worker.text_of(id) == "one two "
    assert (await worker.reply_of(worker.run("again", stream=False))).text == "again"


@pytest.mark.parametrize(("fault", "hooks"), [("oom", False), ("fire", True)])
async def test_a_fault_that_is_not_allowed_or_not_known_is_logged(
    launch: Launcher, fault: str, hooks: bool
) -> None:
    """Nothing happens but a warning."""
    worker = await launch.ready(scripted(fault_hooks=hooks))
    worker.process.send(Inject(fault))
    assert (await worker.reply_of(worker.run("fine", stream=False))).text == "fine"
    line = await worker.line("a fault was not injected")
    assert (line.level, line.fields["fault"]) == ("warning", fault)


async def test_a_request_that_the_engine_does_not_take(launch: Launcher) -> None:
    """invalid_input, which says what the engine takes."""
    worker = await launch.ready(scripted())
    worker.process.send(Run(7, raw({"type": "paint"}), False))
    error = (await worker.failure_of(7)).error
    assert error.kind == "invalid_input"
    assert "GenerateText" in error.message


async def test_an_answer_over_the_wires_bound_is_a_failure(launch: Launcher) -> None:
    """The request gets its one end; the worker goes on."""
    worker = await launch.ready(
        scripted(Script(rules=[When("huge", [Say("x", times=17_000_000)])]))
    )
    for stream in (False, True):
        failed = await worker.failure_of(worker.run("huge", stream=stream))
        assert failed.error.kind == "generation_failed"
    assert (await worker.reply_of(worker.run("small", stream=False))).text == "small"


async def test_heartbeats_tell_steps_requests_and_memory(launch: Launcher) -> None:
    """Steps only grow; the request in hand is named."""
    script = Script(rules=[When("slow", [Pause(0.01, steps=10_000)])])
    worker = await launch.ready(scripted(script, heartbeat_every=0.02))
    await worker.end_of(worker.run(GenerateText("one two three")))
    id = worker.run("slow")
    busy = await worker.report(Heartbeat, lambda beat: beat.running == (id,))
    later = await worker.report(Heartbeat, lambda beat: beat.steps > busy.steps + 2)
    assert busy.steps >= 4
    assert later.rss_bytes > 5_000_000
    assert later.at > busy.at
    steps = [report.steps for report in worker.reports if isinstance(report, Heartbeat)]
    assert steps == sorted(steps)
