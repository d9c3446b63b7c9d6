"""The model actor when its worker is killed, hangs, can't load, or talks nonsense."""

from __future__ import annotations

import asyncio
import os
import select
import signal
from pathlib import Path

import pytest

from failsoft.gpu import WorkerHost, WorkerSpec
from failsoft.gpu.script import (
    BreakDevice,
    Die,
    Garble,
    Once,
    Raise,
    Say,
    Script,
    Stall,
    When,
)
from failsoft.gpu.scripted import scripted
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InjectFault,
    InvalidInput,
    ModelLoadingFailed,
    OutOfMemory,
    WorkerLost,
)
from failsoft.messages.events import (
    ActorFailed,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
)
from failsoft.testing import Gate

from .model_serving import HELLO, PATIENT, pid_of, serving, taken_in

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in real time, on either loop: real processes are waited for."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_sigkill_mid_generation_answers_all_in_hand_and_a_new_worker_goes_on(
    gate: Gate,
) -> None:
    """WK-01 The one in work and those that wait learn it at once, each with an error of its own."""
    script = Script(rules=[When("slow", [Say("one"), gate.wait])])
    async with serving(scripted(script)) as (system, model, events):
        stream = model.stream(GenerateText("slow"), timeout=PATIENT)
        assert (await anext(stream)).text.strip() == "one"
        waiting = [asyncio.create_task(model.ask(HELLO, timeout=PATIENT)) for _ in range(4)]
        await taken_in(system, running=2, waiting=3)
        pid = pid_of(system)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(WorkerLost) as lost:
            await anext(stream)
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in errors] == [WorkerLost] * 4
        assert len({id(error) for error in [*errors, lost.value]}) == 5
        begun = [lost.value.details["begun"]]
        begun += [error.details["begun"] for error in errors if isinstance(error, WorkerLost)]
        assert begun == [True, False, False, False, False]
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert pid_of(system) != pid
        (ended,) = events.of(WorkerEnded)
        assert (ended.pid, ended.asked, "SIGKILL" in ended.reason) == (pid, False, True)


async def test_sigkill_while_idle_costs_no_request() -> None:
    """WK-01 A request that comes meanwhile waits for the new worker."""
    async with serving(scripted()) as (system, model, events):
        await events.wait_for(WorkerReady)
        os.kill(pid_of(system), signal.SIGKILL)
        await events.wait_for(ActorFailed)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


async def test_a_request_for_a_worker_that_is_dead_already_was_not_begun() -> None:
    """WK-10 Its end isn't known yet; what comes in that moment can't be to blame."""
    async with serving(scripted()) as (system, model, events):
        await events.wait_for(WorkerReady)
        reaper = system.extension(WorkerHost).statistics().reaper_pid
        assert reaper is not None
        os.kill(reaper, signal.SIGSTOP)  # it would tell of the end
        pidfd = os.pidfd_open(pid_of(system))
        os.kill(pid_of(system), signal.SIGKILL)
        select.select([pidfd], [], [], PATIENT)
        os.close(pidfd)
        asking = asyncio.create_task(model.ask(HELLO, timeout=PATIENT))
        try:
            await taken_in(system, running=1, waiting=0)
        finally:
            os.kill(reaper, signal.SIGCONT)
        with pytest.raises(WorkerLost) as lost:
            await asking
        assert lost.value.details["begun"] is False


async def test_a_worker_that_dies_while_it_loads_is_replaced(tmp_path: Path) -> None:
    """WK-01 Who waited is told; who comes later is answered."""
    script = Script(load=[Once(str(tmp_path / "died"), (Die(),))])
    async with serving(scripted(script)) as (_, model, events):
        with pytest.raises(WorkerLost) as lost:
            await model.ask(HELLO, timeout=PATIENT)
        assert lost.value.details["begun"] is False
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert len(events.of(WorkerReady)) == 1


async def test_a_load_that_fails_is_told_to_who_waits_and_tried_again(tmp_path: Path) -> None:
    """WK-07 The cause comes with it."""
    fails = Raise("model_loading_failed", "The weights are gone.")
    script = Script(load=[Once(str(tmp_path / "failed"), (fails,))])
    async with serving(scripted(script)) as (_, model, events):
        with pytest.raises(ModelLoadingFailed, match="weights are gone"):
            await model.ask(HELLO, timeout=PATIENT)
        await events.wait_for(ActorFailed)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


async def test_a_stopped_worker_is_found_and_replaced() -> None:
    """WK-02 SIGSTOP: no sign of life, so it is killed and counted as hung."""
    worker = scripted(heartbeat_every=0.05, heartbeat_limit=0.5)
    async with serving(worker) as (system, model, events):
        await events.wait_for(WorkerReady)
        os.kill(pid_of(system), signal.SIGSTOP)
        with pytest.raises(WorkerLost) as lost:
            await model.ask(HELLO, timeout=PATIENT)
        assert lost.value.details["was_hung"] is True
        assert len(events.of(WorkerHung)) == 1
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


async def test_a_stalled_engine_is_found_though_its_heart_beats() -> None:
    """WK-02 No step for the hang limit."""
    script = Script(rules=[When("stall", [Say("one"), Stall()])])
    worker = scripted(script, heartbeat_every=0.05, hang_limit=0.5)
    async with serving(worker) as (_, model, events):
        with pytest.raises(WorkerLost):
            await model.ask(GenerateText("stall"), timeout=PATIENT)
        assert len(events.of(WorkerHung)) == 1
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


@pytest.mark.parametrize("how", ["garbage", "oversize", "cut"])
async def test_garbage_on_the_wire_is_a_lost_worker(how: str) -> None:
    """WK-06 The service doesn't fall."""
    script = Script(rules=[When("bad", [Garble(how)])])  # type: ignore[arg-type]
    async with serving(scripted(script)) as (_, model, _events):
        with pytest.raises(WorkerLost):
            await model.ask(GenerateText("bad"), timeout=PATIENT)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


async def test_a_sticky_device_error_replaces_the_process() -> None:
    """WK-09 The asker has its error, and the next one a new process."""
    script = Script(rules=[When("bad", [BreakDevice()])])
    async with serving(scripted(script)) as (_, model, events):
        with pytest.raises(GenerationFailed):
            await model.ask(GenerateText("bad"), timeout=PATIENT)
        await events.wait_for(ActorFailed)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert len(events.of(WorkerReady)) == 2


async def test_an_injected_fault_is_the_engines_own_error() -> None:
    """WK-08 Heeded where the spec allows it."""
    async with serving(scripted(fault_hooks=True)) as (_, model, events):
        await events.wait_for(WorkerReady)
        model.tell(InjectFault("oom", after_steps=1))
        with pytest.raises(OutOfMemory) as caught:
            await model.ask(HELLO, timeout=PATIENT)
        assert {"memory_used_mb", "memory_available_mb"} <= set(caught.value.details)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"


async def test_a_worker_that_cannot_be_made_is_a_failure_with_a_reason() -> None:
    """WK-07 A module that isn't there is named."""
    worker = WorkerSpec(engine="failsoft.gpu.scripted:ScriptedEngine", preload=("no_such_module",))
    async with serving(worker) as (_, model, _events):
        with pytest.raises(ModelLoadingFailed, match="no_such_module"):
            await model.ask(HELLO, timeout=PATIENT)


@pytest.mark.parametrize(
    "request_",
    [
        GenerateText("lone \ud800 surrogate"),
        GenerateText("x", seed=2**70),
        GenerateText("x" * 17_000_000),
    ],
    ids=["surrogate", "seed", "huge"],
)
async def test_a_request_that_the_wire_cannot_carry_is_the_callers_fault(
    request_: GenerateText,
) -> None:
    """RT-10 WK-06 It is answered, and fails nobody; by tell, it is dropped."""
    async with serving(scripted()) as (_, model, events):
        with pytest.raises(InvalidInput, match="request: "):
            await model.ask(request_, timeout=PATIENT)
        model.tell(request_)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        assert events.of(ActorFailed) == []


async def test_a_request_that_breaks_the_device_is_to_blame_and_its_neighbour_is_not(
    gate: Gate,
) -> None:
    """WK-09 WK-10 Only the one that was in work counts as having cost a worker."""
    # A worker that isn't killed yet may go on to the next one, which then must not end.
    rules = [When("bad", [gate.wait, BreakDevice()]), When("next", [Stall()])]
    async with serving(scripted(Script(rules=rules))) as (system, model, events):
        await events.wait_for(WorkerReady)
        requests = [GenerateText("bad"), GenerateText("next")]
        asked = [asyncio.create_task(model.ask(r, timeout=PATIENT)) for r in requests]
        await taken_in(system, running=2, waiting=0)
        gate.open()
        bad, neighbour = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(bad, GenerationFailed)
    assert bad.details["begun"] is True
    assert isinstance(neighbour, WorkerLost)
    assert neighbour.details["begun"] is False


async def test_a_stream_that_was_told_its_end_has_no_error_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RT-18 WK-01 The worker dies between the last chunk and its word that this was all."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    async with serving(WorkerSpec(engine="last_words_engine:LastWords")) as (_, model, events):
        async with model.stream(HELLO, timeout=PATIENT) as chunks:
            said = [chunk async for chunk in chunks]
        assert [chunk.finish_reason for chunk in said] == ["stop"]
        await events.wait_for(ActorFailed)
