"""A router's candidates, changed while it runs: terminated, restarted, deleted, added."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import StartFailed, System
from failsoft.messages import GenerationFailed, ModelOverloaded
from failsoft.messages.events import ActorFailed, Event
from failsoft.supervisors import (
    Backoff,
    Breaker,
    ChildNotFound,
    DeleteChild,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichCandidates,
    candidate,
    child,
)

from .router_actors import (
    BROKEN,
    HELLO,
    Scripted,
    circuit_of,
    loading,
    now,
    of_kind,
    scripted,
    spawn_router,
)

pytestmark = pytest.mark.anyio


async def test_a_terminated_candidate_is_passed_by_until_it_is_started_again(
    system: System, events: list[Event]
) -> None:
    """SV-11 FB-01 What it has in hand is finished first."""
    hold = asyncio.Event()
    a, b = candidate("a", scripted(hold, "A")), candidate("b", scripted("B"))
    ref = await spawn_router(system, a, b)
    in_hand = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    terminating = asyncio.create_task(ref.ask(TerminateChild("a")))
    await asyncio.sleep(1)
    assert (await ref.ask(HELLO)).model_used == "b"
    hold.set()
    assert (await in_hand).model_used == "a"
    await terminating
    assert (await ref.ask(HELLO)).model_used == "b"
    await ref.ask(RestartChild("a"))
    assert (await ref.ask(HELLO)).model_used == "a"
    assert not of_kind(events, ActorFailed)
    assert await circuit_of(ref, "a") == "closed"


async def test_nobody_waits_for_a_terminated_candidate(system: System) -> None:
    """Nobody starts it, so it is refused at once; those who wait are as well."""
    ref = await spawn_router(system, candidate("a", loading(100, script=["A"])))
    waiting = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    await ref.ask(TerminateChild("a"))
    for asked in (waiting, asyncio.create_task(ref.ask(HELLO))):
        with pytest.raises(ModelOverloaded) as caught:
            await asked
        assert caught.value.details["tried_models"] == {"a": "not_ready"}
    assert now() == 1


async def test_one_that_is_started_again_is_waited_for(system: System) -> None:
    """While it loads, as at any start."""
    ref = await spawn_router(system, candidate("a", loading(10, script=["A"])))
    await asyncio.sleep(20)
    await ref.ask(TerminateChild("a"))
    await ref.ask(RestartChild("a"))
    assert (await ref.ask(HELLO)).text == "A"
    assert now() == pytest.approx(30)


async def test_a_terminated_candidate_that_waited_for_its_restart_stays_down(
    system: System,
) -> None:
    """SV-17 Its requests go on to the other one."""
    a = candidate("a", scripted(GenerationFailed("crashed"), "A"))
    ref = await spawn_router(
        system,
        a,
        candidate("b", scripted("B")),
        backoff=Backoff(base=5, jitter=False),
        while_restarting="wait",
    )
    assert (await ref.ask(HELLO)).model_used == "b"
    await asyncio.sleep(1)
    waiting = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    assert not waiting.done()
    await ref.ask(TerminateChild("a"))
    assert (await waiting).model_used == "b"
    await asyncio.sleep(10)
    assert (await ref.ask(HELLO)).model_used == "b"


async def test_a_candidate_that_is_added_answers_after_those_before_it(system: System) -> None:
    """SV-11 It has a circuit and a queue, as they have."""
    breaker = Breaker(consecutive_failures=1, failure_rate=None)
    ref = await spawn_router(system, candidate("a", scripted(BROKEN)), breaker=breaker)
    await ref.ask(StartChild(candidate("b", scripted("B", BROKEN))))
    reply = await ref.ask(HELLO)
    assert (reply.model_used, reply.was_fallback) == ("b", True)
    assert [info.id for info in await ref.ask(WhichCandidates())] == ["a", "b"]
    with pytest.raises(ModelOverloaded):
        await ref.ask(HELLO, timeout=0.5)
    assert await circuit_of(ref, "b") == "open"


async def test_who_waits_goes_to_a_candidate_that_is_added(system: System) -> None:
    """Nothing else was there in time."""
    ref = await spawn_router(system, candidate("a", loading(1000, script=["A"])))
    waiting = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    await ref.ask(StartChild(candidate("b", scripted("B"))))
    assert (await waiting).model_used == "b"
    assert now() == 1


async def test_a_deleted_candidate_is_forgotten(system: System) -> None:
    """SV-11 The one after it is the first now; a new one by its id starts with a clean circuit."""
    breaker = Breaker(consecutive_failures=1, failure_rate=None)
    a, b = candidate("a", scripted(BROKEN)), candidate("b", scripted("B"))
    ref = await spawn_router(system, a, b, breaker=breaker)
    assert (await ref.ask(HELLO)).was_fallback
    await ref.ask(TerminateChild("a"))
    await ref.ask(DeleteChild("a"))
    reply = await ref.ask(HELLO)
    assert (reply.model_used, reply.was_fallback) == ("b", False)
    assert [info.id for info in await ref.ask(WhichCandidates())] == ["b"]
    await ref.ask(StartChild(candidate("a", scripted("A"))))
    assert await circuit_of(ref, "a") == "closed"
    assert (await ref.ask(HELLO)).model_used == "b"


async def test_without_any_candidate_left_it_is_said_so(system: System) -> None:
    """The router lives, and takes the next one that is added."""
    ref = await spawn_router(system, candidate("a", scripted("A")))
    await ref.ask(TerminateChild("a"))
    await ref.ask(DeleteChild("a"))
    with pytest.raises(ModelOverloaded):
        await ref.ask(HELLO)
    await ref.ask(StartChild(candidate("b", scripted("B"))))
    reply = await ref.ask(HELLO)
    assert (reply.model_used, reply.was_fallback) == ("b", False)


async def test_a_candidate_whose_ordered_start_fails_is_no_candidate(system: System) -> None:
    """SV-11 As if it had never been there."""

    class Failing(Scripted):
        async def on_start(self) -> None:
            raise GenerationFailed("no such file")

    ref = await spawn_router(system, candidate("a", scripted("A")))
    with pytest.raises(StartFailed):
        await ref.ask(StartChild(candidate("b", lambda: Failing(["B"], []))))
    assert [info.id for info in await ref.ask(WhichCandidates())] == ["a"]


async def test_a_temporary_candidate_is_gone_when_it_ends(system: System) -> None:
    """SV-04 Its request goes to the other one."""
    a = candidate("a", scripted(GenerationFailed("crashed")), restart="temporary")
    ref = await spawn_router(system, a, candidate("b", scripted("B")))
    assert (await ref.ask(HELLO)).model_used == "b"
    await asyncio.sleep(0)
    assert [info.id for info in await ref.ask(WhichCandidates())] == ["b"]
    with pytest.raises(ChildNotFound):
        await ref.ask(DeleteChild("a"))


async def test_a_child_that_is_no_candidate_gets_no_requests(system: System) -> None:
    """It is supervised, and that is all."""
    seen: list[str] = []
    ref = await spawn_router(system, candidate("a", scripted("A")))
    await ref.ask(StartChild(child("helper", scripted("no", seen=seen))))
    await ref.ask(TerminateChild("a"))
    with pytest.raises(ModelOverloaded):
        await ref.ask(HELLO)
    assert seen == []
