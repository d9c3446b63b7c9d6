"""Poison with real worker processes: a prompt that kills them, and who else is asking then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from failsoft.actors import Ref, System
from failsoft.gpu.script import BreakDevice, Die, Once, Say, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText, PoisonedRequest, TextReply
from failsoft.messages.events import (
    ActorFailed,
    ChildRestarted,
    ModelStateChanged,
    StandbyPromoted,
    StandbyReady,
    WorkerEnded,
    WorkerReady,
)
from failsoft.supervisors import (
    NO_WAIT,
    ClearQuarantine,
    Intensity,
    ListQuarantine,
    model,
    router,
)
from failsoft.testing import EventRecorder, Gate

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]

PATIENT = 60.0
PROMPT = "a deadly prompt"
DEADLY = GenerateText(PROMPT)


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in real time, on either loop: real processes are waited for."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Give a gate for workers to wait at, still closed."""
    with Gate(tmp_path / "gate") as gate:
        yield gate


@contextlib.asynccontextmanager
async def routed(
    scripts: Sequence[Script], **options: object
) -> AsyncIterator[tuple[Ref, EventRecorder]]:
    """Run a router with a worker for each script; all are ready when this gives them."""
    async with System() as system:
        events = EventRecorder(system)
        models = [
            model(f"model {place}", scripted(script), shutdown=5.0)
            for place, script in enumerate(scripts)
        ]
        spec = router(
            "text",
            *models,
            **{"backoff": NO_WAIT, "intensity": Intensity(max_restarts=20), **options},
        )
        ref = await system.spawn(spec.start, "text")
        await events.wait_until(lambda: len(events.of(WorkerReady)) == len(scripts))
        yield ref, events


def deaths(events: EventRecorder) -> list[str]:
    """Give the paths of the models whose workers died."""
    return [event.path for event in events.of(WorkerEnded) if not event.asked]


KILLS = Script(rules=[When("deadly", [Say("one"), Die()])])


async def ask(ref: Ref, prompt: str, **fields: Any) -> TextReply:
    return await ref.ask(GenerateText(prompt, **fields), timeout=PATIENT)


async def test_a_prompt_that_kills_costs_two_workers_and_its_like_none() -> None:
    """WK-10 One on each model; another seed and another tenant are the same prompt."""
    async with routed([KILLS, KILLS]) as (ref, events):
        with pytest.raises(PoisonedRequest) as refused:
            await ref.ask(DEADLY, timeout=PATIENT)
        assert deaths(events) == ["text/model 0", "text/model 1"]
        assert refused.value.details["attempts"] == 2
        assert refused.value.__cause__ is not None
        for fields in ({}, {"seed": 7}, {"tenant": "another", "priority": 3}):
            with pytest.raises(PoisonedRequest):
                await ask(ref, PROMPT, **fields)
        assert (await ask(ref, "a lovely prompt")).text == "a lovely prompt"
        assert len(deaths(events)) == 2
        await events.wait_until(lambda: len(events.of(WorkerReady)) == 4)
        assert len(events.of(ChildRestarted)) == 2


async def test_the_workers_that_it_costs_are_two_though_a_spare_stands_by() -> None:
    """WK-10 The first loss is no end of the actor, and yet it is one loss and not none."""
    async with System() as system:
        events = EventRecorder(system)
        worker = scripted(KILLS, heartbeat_every=0.05)
        spec = router("text", model("a", worker, standby=True), backoff=NO_WAIT)
        ref = await system.spawn(spec.start, "text")
        await events.wait_for(StandbyReady)
        await ask(ref, "a lovely prompt")
        with pytest.raises(PoisonedRequest):
            await ref.ask(DEADLY, timeout=PATIENT)
        with pytest.raises(PoisonedRequest):
            await ask(ref, PROMPT, seed=7)
        assert deaths(events) == ["text/a"] * 2
        assert (await ask(ref, "a lovely prompt")).text == "a lovely prompt"
        assert len(events.of(StandbyPromoted)) == 1


async def test_with_one_model_the_second_worker_is_its_next_one() -> None:
    """WK-10 There is no elsewhere."""
    async with routed([KILLS]) as (ref, events):
        with pytest.raises(PoisonedRequest):
            await ref.ask(DEADLY, timeout=PATIENT)
        assert deaths(events) == ["text/model 0"] * 2
        assert (await ask(ref, "a lovely prompt")).text == "a lovely prompt"


async def test_a_prompt_that_breaks_devices_is_poison_too() -> None:
    """WK-09 WK-10 The worker is ended for it, which is no better than a death."""
    breaks = Script(rules=[When("deadly", [BreakDevice()])])
    async with routed([breaks, breaks]) as (ref, events):
        with pytest.raises(PoisonedRequest):
            await ref.ask(DEADLY, timeout=PATIENT)
        assert (await ask(ref, "a lovely prompt")).text == "a lovely prompt"
        await events.wait_until(lambda: len(deaths(events)) == 2)


async def test_its_neighbours_in_flight_and_in_line_are_answered(gate: Gate) -> None:
    """WK-10 WK-01 Each of those once, from whichever model; the poison is refused."""
    script = Script(rules=[When("deadly", [gate.wait, Die()])])
    async with routed([script, script]) as (ref, events):
        poison = asyncio.create_task(ask(ref, "a deadly prompt"))
        neighbours = [asyncio.create_task(ask(ref, f"neighbour {n}")) for n in range(40)]
        await events.wait_until(
            lambda: any(change.after == "busy" for change in events.of(ModelStateChanged))
        )
        gate.open()
        replies = await asyncio.gather(*neighbours)
        assert [reply.text for reply in replies] == [f"neighbour {n}" for n in range(40)]
        with pytest.raises(PoisonedRequest):
            await poison
        assert len(deaths(events)) == 2


async def test_ten_callers_with_the_same_prompt_cost_three_workers_at_most() -> None:
    """WK-10 One to be suspected, and one for each model that works on it when that is known."""
    async with routed([KILLS, KILLS]) as (ref, events):
        answers = await asyncio.gather(
            *(ask(ref, PROMPT, tenant=str(n), seed=n) for n in range(10)),
            *(ask(ref, f"neighbour {n}") for n in range(10)),
            return_exceptions=True,
        )
        assert [type(each) for each in answers[:10]] == [PoisonedRequest] * 10
        assert [each.text for each in answers[10:] if isinstance(each, TextReply)] == [
            f"neighbour {n}" for n in range(10)
        ]
        assert 2 <= len(deaths(events)) <= 3


async def test_a_worker_that_dies_once_costs_nobody_the_answer(tmp_path: Path) -> None:
    """WK-01 The request is tried once more, and its answer ends the suspicion."""
    once = Script(rules=[When("deadly", [Once(f"{tmp_path}/died", (Die(),)), Say("it lives")])])
    async with routed([once]) as (ref, events):
        reply = await ask(ref, PROMPT)
        assert (reply.text, reply.attempts) == ("it lives", 2)
        assert len(deaths(events)) == 1
        assert (await ask(ref, PROMPT)).text == "it lives"
        assert await ref.ask(ListQuarantine()) == ()


async def test_an_operator_may_have_it_tried_again() -> None:
    """WK-10 It costs as many workers again."""
    async with routed([KILLS, KILLS]) as (ref, events):
        with pytest.raises(PoisonedRequest):
            await ref.ask(DEADLY, timeout=PATIENT)
        (entry,) = await ref.ask(ListQuarantine())
        assert await ref.ask(ClearQuarantine(entry.fingerprint)) == 1
        with pytest.raises(PoisonedRequest):
            await ref.ask(DEADLY, timeout=PATIENT)
        assert len(deaths(events)) == 4
        assert not events.of(ActorFailed, path="text")


async def test_a_stream_that_kills_again_where_it_goes_on_is_poison_for_the_next() -> None:
    """WK-10 FB-06 It goes on once, and is blamed for both workers."""
    async with routed([KILLS]) as (ref, events):
        stream = ref.stream(DEADLY, timeout=PATIENT)
        assert (await anext(stream)).text.strip() == "one"
        with pytest.raises(PoisonedRequest):
            async for _ in stream:
                pass
        with pytest.raises(PoisonedRequest):
            await ref.ask(DEADLY, timeout=PATIENT)
        assert len(deaths(events)) == 2
