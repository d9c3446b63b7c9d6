"""The model actor with its worker in a thread."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from failsoft.actors import ModelActor, System, Wear
from failsoft.gpu import WorkerHost, WorkerSpec, worker_thread_statistics
from failsoft.gpu.script import BreakDevice, Once, Raise, Say, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InferenceTimeout,
    InjectFault,
    ModelLoadingFailed,
    OutOfMemory,
    WorkerLost,
)
from failsoft.messages.events import (
    ActorFailed,
    GenerationCancelled,
    WorkerAbandoned,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
    WorkerSpawned,
)
from failsoft.supervisors import candidate, router
from failsoft.testing import Gate

from .model_serving import HELLO, PATIENT, busy, serving

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("clean_loop", "plain_logs", "_threads_end_by_themselves"),
]


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in real time, on either loop: real threads are waited for."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
def _threads_end_by_themselves(clean_loop: None, gate: Gate) -> Iterator[None]:
    """Open the gate for those that wait at it; then none may be left, nor what it had open."""
    yield
    gate.open()
    for thread in threading.enumerate():
        if thread.name.endswith(" worker"):
            thread.join(PATIENT)
    now = worker_thread_statistics()
    assert (now.running, now.abandoned) == (0, 0)


def threaded(script: Script | None = None, **spec: Any) -> WorkerSpec:
    return scripted(script, run_in="thread", heartbeat_every=0.05, **spec)


async def test_asks_and_streams_are_answered_and_no_process_is_made() -> None:
    """One answer each; where it runs is seen in the tree."""
    async with serving(threaded()) as (system, model, events):
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        async with model.stream(HELLO, timeout=PATIENT) as chunks:
            assert "".join([chunk.text async for chunk in chunks]) == "hello there"
        shown = system.tree()[0].children[0].shows
        assert (shown["pid"], shown["threads_running"], shown["threads_abandoned"]) == (None, 1, 0)
        assert system.extension(WorkerHost).statistics().reapers == 0
        assert events.of(WorkerSpawned)[0].pid == 0
    (ended,) = events.of(WorkerEnded)
    assert ended.asked
    assert events.of(WorkerAbandoned) == []


async def test_a_caller_that_leaves_and_a_deadline_stop_the_engine() -> None:
    """WK-11 WK-12 The next request is answered."""
    script = Script(rules=[When("long", [Say("word ", delay=0.01, times=100_000)])])
    async with serving(threaded(script)) as (_, model, events):
        await events.wait_for(WorkerReady)
        long = GenerateText("long", max_tokens=30_000)
        asking = asyncio.create_task(model.ask(long, timeout=PATIENT))
        await busy(events)
        asking.cancel()
        await events.wait_for(GenerationCancelled)
        with pytest.raises(InferenceTimeout):
            await model.ask(long, timeout=0.3)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert events.of(ActorFailed) == []


async def test_out_of_memory_is_an_answer() -> None:
    """WK-08 The worker goes on."""
    async with serving(threaded(fault_hooks=True)) as (_, model, events):
        await events.wait_for(WorkerReady)
        model.tell(InjectFault("oom"))
        with pytest.raises(OutOfMemory):
            await model.ask(HELLO, timeout=PATIENT)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert events.of(ActorFailed) == []


async def test_a_hang_is_answered_counted_and_followed_by_a_new_thread(gate: Gate) -> None:
    """WK-02 Those in hand learn it; the thread that hangs is seen until it ends."""
    script = Script(rules=[When("stall", [Say("one"), gate.wait, Say("late")])])
    async with serving(threaded(script, hang_limit=0.3)) as (system, model, events):
        with pytest.raises(WorkerLost) as lost:
            await model.ask(GenerateText("stall"), timeout=PATIENT)
        assert lost.value.details["was_hung"] is True
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert len(events.of(WorkerHung)) == 1
        (abandoned,) = events.of(WorkerAbandoned)
        assert (abandoned.path, abandoned.abandoned) == ("root/model", 1)
        shown = system.tree()[0].children[0].shows
        assert (shown["threads_running"], shown["threads_abandoned"]) == (1, 1)
    assert system.dead_letters.total == 0


async def test_too_many_hangs_are_a_load_that_fails_with_the_remedy(gate: Gate) -> None:
    """WK-07 No thread is started beside those that may each hold a model."""
    script = Script(rules=[When("stall", [Say("one"), gate.wait])])
    worker = threaded(script, hang_limit=0.3, most_abandoned=1)
    async with serving(worker) as (_, model, events):
        with pytest.raises(WorkerLost):
            await model.ask(GenerateText("stall"), timeout=PATIENT)
        with pytest.raises(ModelLoadingFailed, match=r"1 threads of workers that hung .* process"):
            await model.ask(HELLO, timeout=PATIENT)
        assert len(events.of(WorkerReady)) == 1
        gate.open()
        await events.wait_for(ActorFailed)


async def test_a_load_that_fails_is_told_and_tried_again(tmp_path: Path) -> None:
    """WK-07 The cause comes with it."""
    fails = Raise("model_loading_failed", "The weights are gone.")
    script = Script(load=[Once(str(tmp_path / "failed"), (fails,))])
    async with serving(threaded(script)) as (_, model, events):
        with pytest.raises(ModelLoadingFailed, match="weights are gone"):
            await model.ask(HELLO, timeout=PATIENT)
        await events.wait_for(ActorFailed)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


async def test_a_device_that_broke_ends_the_actor_with_the_remedy() -> None:
    """WK-09 The asker has its error; why a thread can't cure it is told."""
    script = Script(rules=[When("bad", [BreakDevice()])])
    async with serving(threaded(script)) as (_, model, events):
        with pytest.raises(GenerationFailed):
            await model.ask(GenerateText("bad"), timeout=PATIENT)
        await events.wait_for(ActorFailed)
        assert "run_in='process'" in events.of(WorkerEnded)[0].reason
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


@pytest.mark.parametrize("bound", ["max_rss_bytes", "max_device_bytes"])
async def test_a_bound_for_memory_is_refused(bound: str) -> None:
    """WK-16 It would be held against the whole service's, and end a worker for nothing."""
    with pytest.raises(ValueError, match="say nothing of a worker with run_in='thread'"):
        ModelActor(threaded(), wear=Wear(**{bound: 1 << 30}))


async def test_a_worn_thread_is_replaced_between_requests() -> None:
    """WK-16 By the requests that it has answered; none is lost."""
    async with serving(threaded(), wear=Wear(max_requests=1)) as (_, model, events):
        asks = [model.ask(HELLO, timeout=PATIENT) for _ in range(3)]
        assert [reply.text for reply in await asyncio.gather(*asks)] == ["hello there"] * 3
        assert events.of(ActorFailed) == []
        assert len(events.of(WorkerReady)) >= 2
    assert events.of(WorkerAbandoned) == []


async def test_a_router_falls_back_while_a_thread_hangs(gate: Gate) -> None:
    """FB-01 WK-02 The understudy, in a thread too, answers what had sent nothing yet."""
    hangs = threaded(Script(rules=[When("stall", [gate.wait])]), first_step_limit=0.3)
    tree = router(
        "text",
        candidate("primary", functools.partial(ModelActor, hangs)),
        candidate("understudy", functools.partial(ModelActor, threaded())),
    )
    async with System() as system:
        await system.spawn(tree.start, "text")
        reply = await system.ref("text").ask(GenerateText("stall"), timeout=PATIENT)
    assert (reply.text, reply.model_used, reply.was_fallback) == ("stall", "understudy", True)
