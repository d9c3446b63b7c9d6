"""Pools of real worker processes, under load, while workers are killed and replaced."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from failsoft.actors import Ref, System
from failsoft.gpu.script import Die, Echo, Raise, Say, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText, PoisonedRequest, TextReply
from failsoft.messages.events import ChildRestarted, RequestFinished, WorkerEnded, WorkerReady
from failsoft.supervisors import NO_WAIT, Intensity, router
from failsoft.supervisors.pool import Resize, Rollout, RolloutFailed, pool, replica
from failsoft.testing import EventRecorder

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]

PATIENT = 60.0
ECHOES = Script(rules=[When("deadly", [Say("one"), Die()])], otherwise=[Echo(0.002)])


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in real time, on either loop: real processes are waited for."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@contextlib.asynccontextmanager
async def pooled(replicas: int) -> AsyncIterator[tuple[System, Ref, EventRecorder]]:
    """Run a router with a pool of scripted workers, all ready when this gives them."""
    async with System() as system:
        events = EventRecorder(system)
        model = pool(
            "model",
            scripted(ECHOES),
            replicas=replicas,
            backoff=NO_WAIT,
            intensity=Intensity(max_restarts=50),
            breaker=None,
        )
        ref = await system.spawn(router("text", model).start, "text")
        await events.wait_until(lambda: len(events.of(WorkerReady)) == replicas)
        yield system, ref, events


def _are_more(events: EventRecorder, ready: int) -> bool:
    return len(events.of(WorkerReady)) > ready


class Load:
    """Ask without a pause, from so many sides, until told to stop."""

    def __init__(self, ref: Ref, callers: int) -> None:
        self._ref = ref
        self.answers: list[TextReply] = []
        self.asked: list[str] = []
        self._stop = asyncio.Event()
        self._enough = asyncio.Event()
        self._until = 0
        self._callers = [asyncio.ensure_future(self._call(number)) for number in range(callers)]

    async def _call(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            prompt = f"caller {number} asks for the {count} th time"
            self.asked.append(prompt)
            self.answers.append(await self._ref.ask(GenerateText(prompt), timeout=PATIENT))
            if len(self.answers) >= self._until:
                self._enough.set()

    async def go_on(self, answers: int) -> None:
        """Return once there are so many answers more."""
        self._enough.clear()
        self._until = len(self.answers) + answers
        await self._enough.wait()

    async def end(self) -> None:
        """Stop, and check that each question had the one answer that is its own."""
        self._stop.set()
        await asyncio.gather(*self._callers)
        assert Counter(reply.text for reply in self.answers) == Counter(self.asked)


async def test_killed_workers_lose_no_request() -> None:
    """SIGKILL of each of three under load: what was in work goes to another, by the router."""
    async with pooled(3) as (_, ref, events):
        load = Load(ref, 9)
        for number in range(3):
            await load.go_on(30)
            ready = events.of(WorkerReady)
            os.kill(ready[number].pid, signal.SIGKILL)
            await events.wait_until(functools.partial(_are_more, events, 3 + number))
        await load.go_on(30)
        await load.end()
    assert len(events.of(ChildRestarted)) == 3
    assert {event.outcome for event in events.of(RequestFinished)} == {"ok"}
    assert not any(reply.was_fallback for reply in load.answers)


async def test_a_rollout_under_load_loses_no_request() -> None:
    async with pooled(2) as (system, ref, events):
        load = Load(ref, 8)
        await load.go_on(30)
        assert await system.ref("text/model").ask(Rollout(), timeout=PATIENT) == 2
        await load.go_on(30)
        await load.end()
    assert len(events.of(WorkerReady)) == 4
    assert {event.outcome for event in events.of(RequestFinished)} == {"ok"}


async def test_a_rollout_to_a_model_that_can_not_load_goes_back_under_load() -> None:
    async with pooled(2) as (system, ref, events):
        load = Load(ref, 8)
        await load.go_on(30)
        bad = replica(scripted(Script(load=[Raise("model_loading_failed", "bad weights")])))
        with pytest.raises(RolloutFailed, match="all replicas are as they were"):
            await system.ref("text/model").ask(Rollout(bad), timeout=PATIENT)
        await load.go_on(30)
        await load.end()
    assert {event.outcome for event in events.of(RequestFinished)} == {"ok"}


async def test_a_pool_grows_and_shrinks_under_load() -> None:
    async with pooled(1) as (system, ref, events):
        load = Load(ref, 8)
        await load.go_on(30)
        assert await system.ref("text/model").ask(Resize(3), timeout=PATIENT) == 3
        await load.go_on(60)
        assert await system.ref("text/model").ask(Resize(1), timeout=PATIENT) == 1
        await load.go_on(30)
        await load.end()
    assert all(event.asked for event in events.of(WorkerEnded))


async def test_a_deadly_prompt_costs_two_workers_of_a_pool() -> None:
    """WK-10 The third one, which is well, never gets it."""
    async with pooled(3) as (_, ref, events):
        with pytest.raises(PoisonedRequest):
            await ref.ask(GenerateText("a deadly prompt"), timeout=PATIENT)
        with pytest.raises(PoisonedRequest):
            await ref.ask(GenerateText("a deadly prompt"), timeout=PATIENT)
        died = [event for event in events.of(WorkerEnded) if not event.asked]
        assert len(died) == 2
        assert (await ref.ask(GenerateText("hello"), timeout=PATIENT)).text == "hello"
