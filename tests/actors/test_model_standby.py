"""A spare worker that stands by, with real processes that do as a script says."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from failsoft.gpu.script import BreakDevice, Die, Say, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText, GenerationFailed, WorkerLost
from failsoft.messages.events import (
    ActorFailed,
    ChildRestarted,
    ModelLoading,
    ModelStateChanged,
    StandbyPromoted,
    StandbyReady,
    StandbyRefused,
    WorkerEnded,
    WorkerReady,
    WorkerSpawned,
)
from failsoft.testing import Gate

from .model_serving import HELLO, PATIENT, pid_of, serving, taken_in

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in real time: real processes are waited for."""
    return "asyncio", {}


QUICK: dict[str, Any] = {"heartbeat_every": 0.05}


async def test_the_spare_takes_over_when_the_worker_is_lost_and_what_waits_is_not_touched(
    gate: Gate,
) -> None:
    """WK-01 What was in work is answered once; nobody is restarted; another spare follows."""
    script = Script(rules=[When("held", [Say("one "), gate.wait, Say("two")])])
    async with serving(scripted(script, **QUICK), standby=True, max_in_worker=1) as (
        system,
        model,
        events,
    ):
        spare = await events.wait_for(StandbyReady)
        await model.ask(HELLO, timeout=PATIENT)
        held = asyncio.create_task(model.ask(GenerateText("held"), timeout=PATIENT))
        waits = asyncio.create_task(model.ask(GenerateText("waits"), timeout=PATIENT))
        await taken_in(system, running=1, waiting=1)
        os.kill(pid_of(system), signal.SIGKILL)
        with pytest.raises(WorkerLost):
            await held
        assert (await waits).text == "waits"
        assert pid_of(system) == spare.pid
        await events.wait_for(StandbyReady, after=spare)
    assert [event.pid for event in events.of(StandbyPromoted)] == [spare.pid]
    assert events.of(ActorFailed) == []
    assert events.of(ChildRestarted) == []


async def test_a_worker_that_is_killed_while_idle_is_followed_by_the_spare() -> None:
    """WK-01 Though it has answered nothing yet: no request can be to blame."""
    async with serving(scripted(**QUICK), standby=True) as (system, model, events):
        spare = await events.wait_for(StandbyReady)
        os.kill(pid_of(system), signal.SIGKILL)
        await events.wait_for(StandbyPromoted, pid=spare.pid)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
    assert events.of(ActorFailed) == []


async def test_a_worker_that_dies_of_its_first_request_is_its_supervisors_to_count() -> None:
    """SV-05 Else one that can answer nothing would be replaced for ever, and nobody be told."""
    script = Script(rules=[When("deadly", [Die()])])
    async with serving(scripted(script, **QUICK), standby=True) as (_, model, events):
        await events.wait_for(StandbyReady)
        with pytest.raises(WorkerLost):
            await model.ask(GenerateText("deadly"), timeout=PATIENT)
        await events.wait_for(ChildRestarted)
    assert events.of(StandbyPromoted) == []


async def test_a_worker_whose_device_breaks_at_its_first_request_is_its_supervisors_to_count() -> (
    None
):
    """SV-05 WK-09 It has answered nothing either, though its error came before its end."""
    script = Script(rules=[When("bad", [BreakDevice()])])
    async with serving(scripted(script, **QUICK), standby=True) as (_, model, events):
        await events.wait_for(StandbyReady)
        with pytest.raises(GenerationFailed):
            await model.ask(GenerateText("bad"), timeout=PATIENT)
        await events.wait_for(ChildRestarted)
    assert events.of(StandbyPromoted) == []


async def test_the_spare_takes_over_from_a_worker_whose_device_broke() -> None:
    """WK-09 And the next fault of the kind is counted for the new one alone."""
    script = Script(rules=[When("bad", [BreakDevice()])])
    async with serving(scripted(script, **QUICK), standby=True) as (_, model, events):
        for _ in range(2):
            await events.wait_for(StandbyReady)
            spare = events.of(StandbyReady)[-1]
            await model.ask(HELLO, timeout=PATIENT)
            with pytest.raises(GenerationFailed) as failed:
                await model.ask(GenerateText("bad"), timeout=PATIENT)
            assert failed.value.details["begun_with"] == 0
            promoted = await events.wait_for(StandbyPromoted, pid=spare.pid)
            await events.wait_for(StandbyReady, after=promoted)
    assert events.of(ActorFailed) == []


async def test_a_spare_that_is_lost_is_followed_by_another_and_costs_nobody() -> None:
    """WK-01 Its death is no failure of the model, and its load isn't told as the model's."""
    async with serving(scripted(**QUICK), standby=True) as (system, model, events):
        spare = await events.wait_for(StandbyReady)
        loads = len(events.of(ModelLoading))
        os.kill(spare.pid, signal.SIGKILL)
        ended = await events.wait_for(WorkerEnded, pid=spare.pid)
        serving_pid = pid_of(system)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
        await events.wait_for(StandbyReady, after=ended)
        assert pid_of(system) == serving_pid
    assert len(events.of(ModelLoading)) == loads
    assert events.of(ActorFailed) == []
    assert len(events.of(WorkerReady)) == 1


async def test_both_workers_end_with_their_actor() -> None:
    """WK-04 No process is left, and the state of the spare is shown until then."""
    async with serving(scripted(**QUICK), standby=True) as (system, _, events):
        await events.wait_for(StandbyReady)
        assert system.tree()[0].children[0].shows["standby"] == "ready"
    spawned = {event.pid for event in events.of(WorkerSpawned)}
    ended = {event.pid for event in events.of(WorkerEnded)}
    assert len(spawned) == 2
    assert ended == spawned
    assert [change.after for change in events.of(ModelStateChanged)][-1] == "draining"


async def test_where_there_is_no_room_it_is_told_once_and_the_model_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """WK-07 The memory is looked at before a spare is made."""
    monkeypatch.setattr("failsoft.actors.standby.machine_memory", lambda: (1024, 1 << 30))
    async with serving(scripted(**QUICK), standby=True) as (_, model, events):
        refused = await events.wait_for(StandbyRefused)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
    assert "MiB of memory" in refused.reason
    assert len(events.of(WorkerSpawned)) == 1
