"""Workers that are replaced between two requests, with real processes that do as a script says."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from failsoft.actors import ModelActor, System, Wear
from failsoft.gpu import WorkerHost
from failsoft.gpu.script import Grow, Say, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText
from failsoft.messages.events import (
    ActorFailed,
    ModelStateChanged,
    StandbyPromoted,
    StandbyReady,
    WorkerEnded,
    WorkerReady,
    WorkerSpawned,
    WorkerWornOut,
)
from failsoft.testing import EventRecorder, Gate

from .model_serving import HELLO, PATIENT, pid_of, serving, taken_in

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in real time: real processes are waited for."""
    return "asyncio", {}


MIB = 1024 * 1024
QUICK: dict[str, Any] = {"heartbeat_every": 0.05}


async def test_a_worker_past_its_memory_is_replaced_between_requests_and_none_is_lost(
    gate: Gate,
) -> None:
    """WK-16 What is in work ends well, what waits goes to the new one."""
    rules = [When("grow", [Grow(300), Say("big "), gate.wait, Say("enough")])]
    async with serving(
        scripted(Script(rules=rules), **QUICK),
        wear=Wear(max_rss_bytes=300 * MIB),
        max_in_worker=1,
    ) as (system, model, events):
        first = await events.wait_for(WorkerReady)
        grow = asyncio.create_task(model.ask(GenerateText("grow"), timeout=PATIENT))
        waits = [
            asyncio.create_task(model.ask(GenerateText(f"wait {n}"), timeout=PATIENT))
            for n in range(3)
        ]
        await taken_in(system, running=1, waiting=3)
        worn = await events.wait_for(WorkerWornOut)
        assert pid_of(system) == first.pid
        gate.open()
        assert (await grow).text == "big enough"
        assert [(await task).text for task in waits] == [f"wait {n}" for n in range(3)]
        assert pid_of(system) != first.pid
    assert "may hold 300" in worn.reason
    (ended, _) = events.of(WorkerEnded)
    assert (ended.pid, ended.asked) == (first.pid, True)
    assert events.of(ActorFailed) == []
    states = [change.after for change in events.of(ModelStateChanged)]
    assert states[3:8] == ["busy", "ready", "draining", "starting", "loading"]


async def test_a_worker_is_replaced_after_so_many_requests() -> None:
    """WK-16 Each is answered, by the worker of its turn."""
    async with serving(scripted(), wear=Wear(max_requests=2)) as (system, model, events):
        pids = []
        for n in range(5):
            reply = await model.ask(GenerateText(f"number {n}"), timeout=PATIENT)
            assert reply.text == f"number {n}"
            pids.append(events.of(WorkerReady)[-1].pid)
        assert pid_of(system) == pids[-1]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
    assert [event.reason for event in events.of(WorkerWornOut)] == [
        "it has answered 2 requests"
    ] * 2


async def test_requests_at_once_are_all_answered_through_replacements() -> None:
    """WK-16 However many come while workers come and go."""
    async with serving(
        scripted(Script(max_batch=4)), wear=Wear(max_requests=5), max_in_worker=None
    ) as (_, model, events):
        requests = [GenerateText(f"number {n}") for n in range(40)]
        replies = await asyncio.gather(*(model.ask(r, timeout=PATIENT) for r in requests))
    assert [reply.text for reply in replies] == [request.prompt for request in requests]
    assert len(events.of(WorkerReady)) > 2
    assert events.of(ActorFailed) == []


async def test_the_spare_takes_the_place_of_a_worn_worker_at_once() -> None:
    """WK-16 The model is ready all the time."""
    async with serving(scripted(**QUICK), wear=Wear(max_requests=1), standby=True) as (
        _,
        model,
        events,
    ):
        spare = await events.wait_for(StandbyReady)
        await model.ask(HELLO, timeout=PATIENT)
        await events.wait_for(StandbyPromoted, pid=spare.pid)
        assert (await model.ask(HELLO, timeout=PATIENT)).text == "hello there"
    states = [change.after for change in events.of(ModelStateChanged)]
    assert states.count("loading") >= 1
    assert "starting" not in states[: states.index("busy") + 2]


async def test_a_spare_that_still_loads_follows_a_worn_worker(gate: Gate) -> None:
    """WK-16 No third one is loaded beside it, and it answers what waits when it is ready."""
    gate.open()
    async with serving(
        scripted(Script(load=[gate.wait]), **QUICK), wear=Wear(max_requests=1), standby=True
    ) as (_, model, events):
        first = await events.wait_for(WorkerReady)
        gate.close()
        spare = await events.wait_for(WorkerSpawned, after=first)
        await model.ask(HELLO, timeout=PATIENT)
        waits = asyncio.create_task(model.ask(GenerateText("waits"), timeout=PATIENT))
        ended = await events.wait_for(WorkerEnded, pid=first.pid)
        gate.open()
        assert (await waits).text == "waits"
        ready = await events.wait_for(WorkerReady, after=ended)
    assert ready.pid == spare.pid


async def test_a_stop_while_the_worker_is_replaced_starts_no_other() -> None:
    """SV-18 The actor ends with the worker that was to go."""
    async with serving(scripted(), wear=Wear(max_requests=1)) as (_, model, events):
        await model.ask(HELLO, timeout=PATIENT)
        await events.wait_until(
            lambda: any(c.after == "draining" for c in events.of(ModelStateChanged))
        )
    assert len(events.of(WorkerReady)) == 1


async def test_a_kill_while_the_worker_is_replaced_starts_no_other() -> None:
    """SV-18 A worker made by an actor that is gone would be nobody's."""
    async with System() as system:
        events = EventRecorder(system)
        start = functools.partial(ModelActor, scripted(), wear=Wear(max_requests=1))
        model = await system.spawn(start, "model")
        await model.ask(HELLO, timeout=PATIENT)
        await system.stop(model, within=0)
        await events.wait_for(WorkerEnded)
        assert system.extension(WorkerHost).statistics().asked == 1


async def test_a_bound_below_what_the_loaded_model_takes_is_a_failure_that_says_so() -> None:
    """WK-07 WK-16 It would be replaced for ever."""
    async with serving(scripted(**QUICK), wear=Wear(max_rss_bytes=MIB)) as (_, _model, events):
        failed = await events.wait_for(ActorFailed)
        assert "has done nothing yet" in failed.error
        assert "Raise its bound" in failed.error
    assert events.of(WorkerWornOut) == []
