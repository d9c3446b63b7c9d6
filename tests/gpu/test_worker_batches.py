"""Several requests at once in a worker: each has its own end, and says when it was begun."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from failsoft.gpu.engine import Step
from failsoft.gpu.script import (
    Die,
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
from failsoft.gpu.serving.turns import Turns
from failsoft.messages.frames import Began, Cancel, Done, Stop
from failsoft.testing import Gate

from .launched import Launched, Launcher

pytestmark = pytest.mark.anyio


def begun(worker: Launched) -> list[int]:
    """Give the requests that were begun, in order."""
    return [report.id for report in worker.reports if isinstance(report, Began)]


async def test_requests_take_turns_and_each_says_its_own(launch: Launcher, gate: Gate) -> None:
    """A short one that came later ends before a long one."""
    long = When("long", [WaitFor(gate.path), Say("word ", times=50)])
    worker = await launch.ready(scripted(Script(rules=[long], max_batch=3)))
    assert (await worker.ready()).info["max_batch"] == 3
    first, second, third = worker.run("long"), worker.run("a b"), worker.run("c d e")
    # Commands are read in order: once this is answered, all three are there.
    worker.process.send(Cancel(marker := worker.run("marker")))
    await worker.end_of(marker)
    gate.open()
    await worker.end_of(first)
    assert [worker.text_of(id) for id in (second, third)] == ["a b", "c d e"]
    ends = [report.id for report in worker.reports if isinstance(report, Done)]
    assert ends == [second, third, first]


async def test_begun_is_told_before_anything_is_done(launch: Launcher, gate: Gate) -> None:
    """As many as the engine takes are begun; the others follow as there is room."""
    script = Script(rules=[When("hold", [WaitFor(gate.path)])], max_batch=2)
    worker = await launch.ready(scripted(script))
    ids = [worker.run("hold"), worker.run("a"), worker.run("b"), worker.run("c")]
    await worker.report(Began)
    assert begun(worker)[0] == ids[0]
    gate.open()
    for id in ids:
        await worker.end_of(id)
    assert begun(worker) == ids
    for id in ids:
        positions = [at for at, r in enumerate(worker.reports) if getattr(r, "id", None) == id]
        assert isinstance(worker.reports[positions[0]], Began)


async def test_what_kills_the_worker_in_its_first_step_was_told_of(launch: Launcher) -> None:
    """WK-10 It is known as begun, though no heartbeat came between."""
    script = Script(otherwise=[Die()])
    worker = await launch.ready(scripted(script, heartbeat_every=60.0, heartbeat_limit=300.0))
    id = worker.run("deadly")
    await worker.ended()
    assert begun(worker) == [id]


@pytest.mark.parametrize(
    ("act", "kind"),
    [(RunOutOfMemory(), "out_of_memory"), (Raise("bug"), "generation_failed")],
)
async def test_an_error_of_one_is_its_own(
    launch: Launcher, act: RunOutOfMemory | Raise, kind: str
) -> None:
    """Those beside it are answered in full."""
    bad = When("bad", [Say("x "), act])
    worker = await launch.ready(scripted(Script(rules=[bad], max_batch=4)))
    ids = [worker.run(prompt) for prompt in ("a b c", "bad", "d e f g")]
    assert (await worker.failure_of(ids[1])).error.kind == kind
    await worker.end_of(ids[2])
    assert [worker.text_of(id) for id in ids] == ["a b c", "x ", "d e f g"]
    assert [len(worker.ends_of(id)) for id in ids] == [1, 1, 1]


async def test_one_is_cancelled_and_one_is_late_and_the_third_goes_on(launch: Launcher) -> None:
    """WK-11 WK-12 Each within a step, wherever it stands in the batch."""
    slow = When("slow", [Say("word ", delay=0.005, times=10_000)])
    steady = When("steady", [Say("so ", delay=0.005, times=100)])
    worker = await launch.ready(scripted(Script(rules=[slow, steady], max_batch=3)))
    gone, third = worker.run("slow"), worker.run("steady")
    late = worker.run("slow", deadline=time.monotonic() + 0.3)
    await worker.first_chunk_of(gone)
    worker.process.send(Cancel(gone))
    assert (await worker.failure_of(gone)).error.kind == "cancelled"
    error = (await worker.failure_of(late)).error
    assert error.kind == "inference_timeout"
    assert error.details["tokens"] == len(worker.chunks_of(late))
    await worker.end_of(third)
    assert worker.text_of(third) == "so " * 100


async def test_a_stop_ends_what_is_begun_and_refuses_the_rest(
    launch: Launcher, gate: Gate, tmp_path: Path
) -> None:
    """RT-14 Both of the batch are answered; the third is told to go elsewhere."""
    until_all_are_there = Gate(tmp_path / "there")
    hold = When(
        "hold",
        [
            WaitFor(until_all_are_there.path),
            Pause(0.0),  # the end of a step, after which there is room for one more
            Log("held"),
            WaitFor(gate.path),
            Say("done"),
        ],
    )
    worker = await launch.ready(scripted(Script(rules=[hold], max_batch=2), stop_grace=60))
    held, other, third = worker.run("hold"), worker.run("other"), worker.run("third")
    # Commands are read in order: once this is answered, all of them are there.
    worker.process.send(Cancel(marker := worker.run("marker")))
    await worker.end_of(marker)
    until_all_are_there.open()
    await worker.line("held")
    worker.process.send(Stop())
    ends = {third: (await worker.failure_of(third)).error.kind}
    assert begun(worker) == [held, other]
    gate.open()
    ends |= {id: type(await worker.end_of(id)).__name__ for id in (held, other)}
    assert ends == {third: "model_overloaded", held: "Done", other: "Done"}
    await worker.ended()
    until_all_are_there.close()


def test_an_engine_of_generators_hears_of_a_request_in_its_first_step() -> None:
    """What is begun by a step can be told of before it, for all that are in it at once."""
    engine = _Echoing()
    turns = Turns(engine)
    turns.begin(1, "ab")
    turns.begin(2, "c")
    turns.drop(2)
    assert engine.heard == []
    assert turns.step() == [Step(1, "a")]
    assert engine.heard == ["ab"]


def test_a_fault_of_a_whole_round_ends_the_first_alone() -> None:
    """So that a fault on command hits one request."""
    turns = Turns(_Echoing())
    for id in (1, 2):
        assert turns.begin(id, "ab")
    error = MemoryError("full")
    assert turns.recover(error) == [Step.failed(1, error)]
    assert turns.step() == [Step(2, "a")]
    turns.drop(2)
    turns.drop(2)
    assert turns.step() == []
    assert turns.max_batch == 1


class _Echoing:
    """Say each character of the request."""

    requests: ClassVar[tuple[type, ...]] = (str,)

    def __init__(self) -> None:
        self.heard: list[str] = []

    def load(self, progress: Any) -> dict[str, Any]:
        return {}

    def generate(self, request: str) -> Generator[str, None, str]:
        self.heard.append(request)
        return self._letters(request)

    def _letters(self, request: str) -> Generator[str, None, str]:
        yield from request
        return request

    def unload(self) -> None: ...
