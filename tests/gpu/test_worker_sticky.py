"""A worker whose device broke answers nobody any more, and ends by itself."""

from __future__ import annotations

from typing import Any

import pytest

from failsoft.gpu.engine import Step
from failsoft.gpu.memory.room import MemoryGuard
from failsoft.gpu.script import BreakDevice, Log, Say, Script, WaitFor, When
from failsoft.gpu.scripted import scripted
from failsoft.gpu.serving.answering import Answering, RequestReader
from failsoft.gpu.serving.faults import Faults
from failsoft.gpu.serving.inbox import Inbox
from failsoft.gpu.serving.pulse import Pulse
from failsoft.messages import GenerateText
from failsoft.messages.frames import Cancel, Done, Failed, Frame, Run
from failsoft.messages.wire import raw
from failsoft.testing import Gate

from .launched import Launched, Launcher

BROKEN = RuntimeError("CUDA error: an illegal memory access was encountered")
DEVICE_BROKEN = 3


def ends(worker: Launched) -> list[Done | Failed]:
    return [report for report in worker.reports if isinstance(report, Done | Failed)]


@pytest.mark.anyio
async def test_what_waits_is_lost_with_the_worker(launch: Launcher, gate: Gate) -> None:
    """WK-09 The one that broke it has its error; the next isn't begun; the process ends."""
    bad = When("bad", [Say("a "), WaitFor(gate.path), BreakDevice()])
    log = When("log", [Log("begun after all")])
    worker = await launch.ready(scripted(Script(rules=[bad, log])))
    id = worker.run("bad", correlation_id="c-1")
    await worker.first_chunk_of(id)
    worker.run("log"), worker.run("good")
    # Commands are read in order: once this is answered, all are there.
    worker.process.send(Cancel(marker := worker.run("marker")))
    await worker.end_of(marker)
    gate.open()
    gone = await worker.ended()
    (failed,) = [end for end in ends(worker) if end.id != marker]
    assert isinstance(failed, Failed)
    assert (failed.id, failed.sticky, failed.error.correlation_id) == (id, True, "c-1")
    assert (gone.exit_status, gone.was_asked) == (DEVICE_BROKEN, False)
    assert not [line for line in worker.lines if "after all" in line.event]


class Wire:
    """Hold what is sent."""

    def __init__(self) -> None:
        self.sent: list[Frame] = []

    def send(self, frame: Frame) -> None:
        self.sent.append(frame)

    hold = send

    def flush(self) -> None: ...


class Breaking:
    """Be an engine of batches whose step and recovery do what a test says."""

    max_batch, batch_delay = 4, 0.0

    def __init__(self, step: object, recovered: object = None) -> None:
        self._step, self._recovered = step, recovered
        self.begun: list[int] = []

    def begin(self, id: int, request: Any) -> bool:
        self.begun.append(id)
        return True

    def step(self) -> list[Step]:
        return _done(self._step)

    def recover(self, error: BaseException) -> list[Step]:
        return _done(self._recovered)

    def drop(self, id: int) -> None: ...


def _done(does: object) -> list[Step]:
    if isinstance(does, BaseException):
        raise does
    assert isinstance(does, list)
    return does


def answer(engine: Breaking, requests: int) -> tuple[bool, list[Frame]]:
    """Have ``engine`` answer so many requests; give whether all is well, and what was sent."""
    wire: Any = Wire()
    inbox = Inbox(wire.send)
    for id in range(1, requests + 1):
        inbox.put(Run(id, raw(GenerateText("x")), False))
    answering = Answering(
        engine,
        RequestReader((GenerateText,)),
        inbox,
        wire,
        Pulse(wire.send),
        Faults(is_allowed=False),
        MemoryGuard(lambda: (0, 0, 0)),
    )
    is_well = answering.run()
    return is_well, [frame for frame in wire.sent if isinstance(frame, Done | Failed)]


def test_all_that_may_be_to_blame_are_told() -> None:
    """WK-09 Where the engine can't tell which one broke it, each has the sticky error."""
    engine = Breaking(BROKEN, [Step.failed(1, BROKEN), Step.failed(2, BROKEN)])
    is_well, sent = answer(engine, 2)
    assert not is_well
    assert [(end.id, end.sticky) for end in sent if isinstance(end, Failed)] == [
        (1, True),
        (2, True),
    ]


def test_after_the_one_that_broke_it_nobody_is_told_anything() -> None:
    """WK-09 Neither an end that went well, nor a fault of another kind, is to be believed."""
    steps = [
        Step(1, is_last=True, reply=None),
        Step.failed(2, BROKEN),
        Step(3, is_last=True, reply=None),
        Step.failed(4, ValueError("made of broken numbers")),
    ]
    is_well, sent = answer(Breaking(steps), 4)
    assert not is_well
    assert [(type(end), end.id) for end in sent if isinstance(end, Done | Failed)] == [
        (Done, 1),
        (Failed, 2),
    ]


def test_a_recovery_that_finds_the_device_broken() -> None:
    """WK-09 Errors of a device come late: the one that shows it may be the recovery's."""
    is_well, sent = answer(Breaking(MemoryError(), BROKEN), 1)
    assert not is_well
    assert [end.sticky for end in sent if isinstance(end, Failed)] == [True]


def test_a_device_that_breaks_when_a_request_is_begun() -> None:
    """WK-09 The next one isn't even offered."""

    class BreaksAtBegin(Breaking):
        def begin(self, id: int, request: Any) -> bool:
            super().begin(id, request)
            raise BROKEN

    engine = BreaksAtBegin([])
    is_well, sent = answer(engine, 3)
    assert not is_well
    assert (engine.begun, len(sent)) == ([1], 1)
