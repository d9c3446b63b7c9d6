"""The model actor, with real worker processes that do as a script says."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from failsoft.actors import ActorStopped, ModelActor, System
from failsoft.gpu import image_worker
from failsoft.gpu.script import (
    Echo,
    Log,
    Raise,
    Say,
    Script,
    When,
)
from failsoft.gpu.scripted import scripted
from failsoft.messages import (
    ContextLengthExceeded,
    Embed,
    GenerateImage,
    GenerateText,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    ModelOverloaded,
    OutOfMemory,
)
from failsoft.messages.events import (
    ActorFailed,
    GenerationCancelled,
    ModelStateChanged,
    WorkerEnded,
    WorkerReady,
)
from failsoft.testing import EventRecorder, Gate

from .model_serving import HELLO, PATIENT, busy, serving, taken_in

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in real time, on either loop: real processes are waited for."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_requests_that_come_before_it_is_ready_wait_and_are_answered() -> None:
    """WK-07 Each reply goes to its own asker, in order of arrival."""
    async with serving(scripted()) as (_, model, _events):
        requests = [GenerateText(f"request {n}") for n in range(5)]
        replies = await asyncio.gather(*(model.ask(r, timeout=PATIENT) for r in requests))
    assert [reply.text for reply in replies] == [request.prompt for request in requests]
    assert replies[0].usage.completion_tokens == 2


async def test_the_states_are_told_in_order() -> None:
    """SV-22 Starting, loading, warming, ready, busy and back, draining at the end."""
    async with serving(scripted()) as (_, model, events):
        await model.ask(HELLO, timeout=PATIENT)
        await events.wait_until(lambda: events.of(ModelStateChanged)[-1].after == "ready")
    changes = events.of(ModelStateChanged)
    assert [change.after for change in changes if change.after != "busy"] == [
        "loading",
        "warming",
        "ready",
        "ready",
        "draining",
    ]
    for before, after in itertools.pairwise(changes):
        assert after.before == before.after


async def test_chunks_joined_are_the_answer() -> None:
    """WK-14 The last chunk has the usage."""
    async with (
        serving(scripted(Script(otherwise=[Say("roses are red")]))) as (_, model, _events),
        model.stream(HELLO, timeout=PATIENT) as chunks,
    ):
        got = [chunk async for chunk in chunks]
    assert "".join(chunk.text for chunk in got).split() == ["roses", "are", "red"]
    assert got[-1].finish_reason == "stop"
    assert got[-1].usage is not None


@pytest.mark.parametrize(
    ("play", "expected"),
    [
        (Raise("context_length_exceeded"), ContextLengthExceeded),
        (Raise("out_of_memory"), OutOfMemory),
        (Raise("melted"), GenerationFailed),
    ],
)
async def test_an_engines_error_is_the_askers_and_ends_nobody(
    play: Raise, expected: type[InferenceError]
) -> None:
    """RT-10 WK-15 The next request is answered by the same process."""
    script = Script(rules=[When("bad", [play])])
    async with serving(scripted(script)) as (system, model, events):
        with pytest.raises(expected):
            await model.ask(GenerateText("bad"), timeout=PATIENT)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert events.of(ActorFailed) == []
        assert len(events.of(WorkerReady)) == 1
        assert system.dead_letters.total == 0


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_caller_that_leaves_stops_the_engine_and_frees_the_slot(streamed: bool) -> None:
    """WK-11 RT-07 The worker stops at its next step; the next request is answered."""
    script = Script(rules=[When("long", [Say("word ", delay=0.01, times=100_000)])])
    async with serving(scripted(script)) as (_, model, events):
        await events.wait_for(WorkerReady)
        request = GenerateText("long", max_tokens=30_000)
        if streamed:
            async with model.stream(request, timeout=PATIENT) as chunks:
                await anext(chunks)
        else:
            asking = asyncio.create_task(model.ask(request, timeout=PATIENT))
            await busy(events)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        await events.wait_for(GenerationCancelled)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert events.of(ActorFailed) == []


async def test_a_request_that_waits_is_withdrawn_when_its_caller_leaves(gate: Gate) -> None:
    """RT-06 It never reaches the worker."""
    script = Script(rules=[When("first", [Say("x"), gate.wait]), When("secret", [Log("it ran")])])
    async with serving(scripted(script), max_in_worker=1) as (system, model, _events):
        first = model.stream(GenerateText("first"), timeout=PATIENT)
        await anext(first)
        second = asyncio.create_task(model.ask(GenerateText("secret"), timeout=PATIENT))
        await taken_in(system, running=1, waiting=1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert system.tree()[0].children[0].shows["waiting"] == 0
        gate.open()
        assert [chunk.finish_reason async for chunk in first][-1] == "stop"


async def test_a_deadline_that_passes_mid_generation_frees_the_slot() -> None:
    """WK-12 The error tells the time that was allowed: what was left when the worker had it."""
    script = Script(rules=[When("long", [Say("word ", delay=0.02, times=100_000)])])
    async with serving(scripted(script)) as (_, model, events):
        await events.wait_for(WorkerReady)
        with pytest.raises(InferenceTimeout) as caught:
            await model.ask(GenerateText("long", max_tokens=30_000), timeout=0.5)
        assert 0 < caught.value.details["timeout_seconds"] <= 0.5
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


async def test_a_full_queue_refuses_at_once_and_keeps_what_it_has(gate: Gate) -> None:
    """AD-01 Those that wait are answered when their turn comes."""
    script = Script(rules=[When("first", [gate.wait, Say("done")])])
    async with serving(scripted(script), queue_limit=2, max_in_worker=1) as (_, model, events):
        await events.wait_for(WorkerReady)
        asking = [asyncio.create_task(model.ask(GenerateText("first"), timeout=PATIENT))]
        await busy(events)
        asking += [asyncio.create_task(model.ask(HELLO, timeout=PATIENT)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ModelOverloaded, match="2 requests wait"):
            await model.ask(HELLO, timeout=PATIENT)
        gate.open()
        replies = await asyncio.gather(*asking)
    assert [reply.text.strip() for reply in replies] == ["done", "hello there", "hello there"]


async def test_a_stop_finishes_what_is_in_work_and_refuses_what_waits(gate: Gate) -> None:
    """RT-14 RT-11 The worker ends when it has answered."""
    script = Script(rules=[When("first", [gate.wait, Say("done")])])
    async with System() as system:
        events = EventRecorder(system)
        worker = scripted(script)
        model = await system.spawn(lambda: ModelActor(worker, max_in_worker=1), "model")
        await events.wait_for(WorkerReady)
        first = asyncio.create_task(model.ask(GenerateText("first"), timeout=PATIENT))
        await busy(events)
        second = asyncio.create_task(model.ask(HELLO, timeout=PATIENT))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(system.stop(model))
        with pytest.raises(ActorStopped):
            await second
        gate.open()
        assert (await first).text.strip() == "done"
        await stopping
        (ended,) = events.of(WorkerEnded)
        assert ended.asked
        with pytest.raises(ActorStopped):
            await model.ask(HELLO)


async def test_the_correlation_id_goes_to_the_worker_and_comes_back_in_its_log() -> None:
    """WK-17 TL-06 A line that the engine writes bears it."""
    import structlog

    from failsoft.actors import bind_correlation_id

    script = Script(otherwise=[Log("working hard", fields={"n": 1}), Echo()])
    with structlog.testing.capture_logs() as lines:
        async with serving(scripted(script)) as (_, model, _events):
            bind_correlation_id("abc-123")
            await model.ask(HELLO, timeout=PATIENT)
    structlog.contextvars.clear_contextvars()
    (line,) = [line for line in lines if line["event"] == "working hard"]
    assert (line["correlation_id"], line["n"], line["path"]) == ("abc-123", 1, "root/model")


async def test_it_takes_what_its_worker_answers_unless_it_is_told() -> None:
    """Whoever describes the worker has said it already."""
    worker = image_worker("none")
    of_worker, told = ModelActor(worker), ModelActor(worker, requests=(Embed,))
    assert set(of_worker.stream_handlers) == {GenerateImage}
    assert set(told.stream_handlers) == {Embed}
