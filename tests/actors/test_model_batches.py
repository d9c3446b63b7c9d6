"""The model actor with a worker that takes several requests at once."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from failsoft.gpu.script import BreakDevice, Die, Once, Say, Script, Stall, WaitFor, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText, GenerationFailed, InferenceError, WorkerLost
from failsoft.messages.events import WorkerReady
from failsoft.testing import Gate

from .model_serving import HELLO, PATIENT, pid_of, serving

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: real processes are waited for."""
    return "asyncio"


async def test_it_gives_the_worker_what_its_engine_takes_and_one_to_follow() -> None:
    """The others wait here, where they can be withdrawn and sent elsewhere."""
    script = Script(otherwise=[Say("one "), Stall()], max_batch=3)
    async with serving(scripted(script), max_in_worker=None) as (system, model, events):
        await events.wait_for(WorkerReady)
        streams = [model.stream(HELLO, timeout=PATIENT) for _ in range(6)]
        await anext(streams[0])
        shown = system.tree()[0].children[0].shows
        assert (shown["max_batch"], shown["running"], shown["waiting"]) == (3, 4, 2)
        os.kill(pid_of(system), signal.SIGKILL)
        ends = await asyncio.gather(*(_end_of(stream) for stream in streams))
        assert [end.details["begun"] for end in ends][3:] == [False] * 3
        assert ends[0].details["begun"] is True


async def test_those_that_were_begun_when_the_worker_died_are_told_so(gate: Gate) -> None:
    """WK-01 WK-10 All of the batch, and nobody else; each with how many others there were."""
    script = Script(
        rules=[
            When("deadly", [Say("one "), WaitFor(str(gate.path)), Die()]),
            When("slow", [Say("so ", times=1000)]),
        ],
        max_batch=3,
    )
    async with serving(scripted(script), max_in_worker=None) as (_, model, events):
        await events.wait_for(WorkerReady)
        prompts = ["slow", "slow", "deadly", "next", "last"]
        streams = [
            model.stream(GenerateText(prompt, max_tokens=30_000), timeout=PATIENT)
            for prompt in prompts
        ]
        await anext(streams[2])
        gate.open()
        ends = await asyncio.gather(*(_end_of(stream) for stream in streams))
    assert [type(end) for end in ends] == [WorkerLost] * 5
    assert [end.details["begun"] for end in ends] == [True, True, True, False, False]
    assert [end.details.get("begun_with") for end in ends] == [2, 2, 2, None, None]


async def test_a_request_that_breaks_the_device_is_blamed_and_those_beside_it_are_not() -> None:
    """WK-09 WK-10 Where the engine knows which one it was."""
    script = Script(
        rules=[When("bad", [Say("x "), BreakDevice()]), When("slow", [Say("so ", times=100_000)])],
        max_batch=2,
    )
    async with serving(scripted(script), max_in_worker=None) as (_, model, events):
        await events.wait_for(WorkerReady)
        slow, bad = await asyncio.gather(
            model.ask(GenerateText("slow", max_tokens=30_000), timeout=PATIENT),
            model.ask(GenerateText("bad"), timeout=PATIENT),
            return_exceptions=True,
        )
    assert isinstance(bad, GenerationFailed)
    assert bad.details["begun"] is True
    assert isinstance(slow, WorkerLost)
    assert slow.details["begun"] is False


async def test_a_worker_that_dies_before_it_begins_anything_blames_nobody(gate: Gate) -> None:
    """WK-01 What was in its hands, but not in its engine's, wasn't begun."""
    script = Script(load=[Once(f"{gate.path}.died", (WaitFor(str(gate.path)), Die()))], max_batch=2)
    async with serving(scripted(script), max_in_worker=None) as (_, model, _events):
        asking = [asyncio.create_task(model.ask(HELLO, timeout=PATIENT)) for _ in range(3)]
        await asyncio.sleep(0)
        gate.open()
        ends = await asyncio.gather(*asking, return_exceptions=True)
    assert [end.details["begun"] for end in ends if isinstance(end, WorkerLost)] == [False] * 3


async def _end_of(stream: object) -> InferenceError:
    """Read a stream to its error."""
    with pytest.raises(InferenceError) as caught:
        async for _ in stream:  # type: ignore[attr-defined]
            pass
    return caught.value
