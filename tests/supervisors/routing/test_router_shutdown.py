"""The end of a router, and its restart: each request has one answer."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import Actor, ActorStopped, Ref, System
from failsoft.messages import ModelOverloaded
from failsoft.messages.events import Event, RequestFinished
from failsoft.supervisors import Admission, Backoff, Limit, candidate, child, router, supervisor

from .router_actors import (
    HELLO,
    Answer,
    info_of,
    loading,
    now,
    of_kind,
    router_of,
    scripted,
    spawn_router,
)

pytestmark = pytest.mark.anyio

ONE_AT_A_TIME = Admission(limit=Limit.fixed(1))
BUSY = ModelOverloaded("busy")


def asks(ref: Ref, count: int, within: float = 1000) -> list[asyncio.Task[object]]:
    return [asyncio.create_task(ref.ask(HELLO, timeout=within)) for _ in range(count)]


async def when_done(task: asyncio.Task[object]) -> tuple[str, float]:
    """Give what came of an ask, a text or what its error is called, and when."""
    await asyncio.wait([task])
    error = task.exception()
    return task.result().text if error is None else type(error).__name__, now()  # type: ignore[attr-defined]


async def test_at_its_end_what_is_in_flight_is_finished_and_all_else_refused_at_once(
    system: System, events: list[Event]
) -> None:
    """SV-18 RT-11 Queued for a slot, waiting for a restart, and pausing before a retry."""
    hold = asyncio.Event()
    ref = await spawn_router(
        system,
        candidate("a", scripted(BUSY, hold, "A"), admission=ONE_AT_A_TIME),
        retry_backoff=Backoff(base=100, cap=100, jitter=False),
    )
    (pausing,) = asks(ref, 1)
    await asyncio.sleep(1)
    in_flight, *queued = asks(ref, 3)
    await asyncio.sleep(1)
    assert (await info_of(ref, "a")).waiting == 2
    asyncio.get_running_loop().call_later(3, hold.set)
    stopping = asyncio.create_task(system.stop(ref, within=60))
    outcomes = await asyncio.gather(*map(when_done, [pausing, *queued, in_flight]))
    assert outcomes == [("ActorStopped", 2), ("ActorStopped", 2), ("ActorStopped", 2), ("A", 5)]
    await stopping
    finished = [event.outcome for event in of_kind(events, RequestFinished)]
    assert finished == ["ActorStopped"] * 3 + ["ok"]


async def test_at_its_end_those_who_wait_for_a_load_are_refused_at_once(system: System) -> None:
    """SV-18 They don't hold it up."""
    ref = await spawn_router(system, candidate("a", loading(1000, script=["A"])))
    (waiting,) = asks(ref, 1)
    await asyncio.sleep(1)
    await system.stop(ref)
    assert await when_done(waiting) == ("ActorStopped", 1)


async def test_a_request_in_flight_in_a_model_that_has_to_be_killed_is_answered(
    system: System, events: list[Event]
) -> None:
    """RT-11 RT-14 Nobody else takes it over any more."""
    seen: list[str] = []
    never = asyncio.Event()
    ref = await spawn_router(
        system,
        candidate("a", scripted(never), shutdown=5),
        candidate("b", scripted("B", seen=seen)),
    )
    (in_flight,) = asks(ref, 1)
    await asyncio.sleep(1)
    await system.stop(ref, within=60)
    assert await when_done(in_flight) == ("ActorStopped", 6)
    assert seen == []
    (finished,) = of_kind(events, RequestFinished)
    assert finished.outcome == "ActorStopped"


async def test_a_router_that_is_killed_answers_all_it_has(
    system: System, events: list[Event]
) -> None:
    """RT-11 Each once, also in the events, and by what it was."""
    never = asyncio.Event()
    ref = await spawn_router(system, candidate("a", scripted(never), admission=ONE_AT_A_TIME))
    asked = asks(ref, 3)
    await asyncio.sleep(1)
    await system.stop(ref, within=0)
    assert [await when_done(task) for task in asked] == [("ActorStopped", 1)] * 3
    assert [event.outcome for event in of_kind(events, RequestFinished)] == ["ActorStopped"] * 3


async def test_a_router_that_fails_is_started_anew_by_its_supervisor(
    system: System, events: list[Event]
) -> None:
    """SV-21 What was in hand is answered, what comes meanwhile waits in its mailbox."""
    never = asyncio.Event()
    script: list[Answer] = [never, "A"]
    spec = supervisor(
        "root",
        router("text", candidate("a", scripted(*script))),
        backoff=Backoff(base=1, jitter=False),
    )
    await system.spawn(spec.start, "root")
    ref = system.ref("root/text")
    (in_hand,) = asks(ref, 1)
    await asyncio.sleep(1)
    router_of(ref).context.crash(RuntimeError("a bug"))
    assert await when_done(in_hand) == ("ActorStopped", 1)
    (meanwhile,) = asks(ref, 1)
    assert await when_done(meanwhile) == ("A", 2)
    assert [event.outcome for event in of_kind(events, RequestFinished)] == ["ActorStopped", "ok"]
    assert router_of(ref).inspect()["in_hand"] == 0


async def test_a_router_that_is_restarted_with_its_siblings_answers_all(system: System) -> None:
    """SV-02 one_for_all stops it in order: what is in flight is finished, the rest refused."""
    hold = asyncio.Event()

    class Mortal(Actor):
        async def on_start(self) -> None:
            if self.context.incarnation == 1:
                self.context.call_after(2, lambda: self.context.crash(RuntimeError("a bug")))

    spec = supervisor(
        "root",
        router("text", candidate("a", scripted(hold, "A"), admission=ONE_AT_A_TIME)),
        child("sibling", Mortal),
        strategy="one_for_all",
        backoff=Backoff(base=1, jitter=False),
    )
    await system.spawn(spec.start, "root")
    ref = system.ref("root/text")
    in_flight, queued = asks(ref, 2)
    asyncio.get_running_loop().call_at(4, hold.set)
    assert await when_done(queued) == ("ActorStopped", 2)
    assert await when_done(in_flight) == ("A", 4)
    (later,) = asks(ref, 1)
    assert await when_done(later) == ("A", 5)


async def test_a_stream_in_flight_is_finished_at_the_end(system: System) -> None:
    """SV-18 FB-06 The reader gets all of it; one that waits in line gets the error."""
    hold = asyncio.Event()
    script: list[Answer] = ["x", hold, "y", "END"]
    ref = await spawn_router(system, candidate("a", scripted(*script), admission=ONE_AT_A_TIME))
    async with ref.stream(HELLO) as chunks, ref.stream(HELLO) as waiting:
        assert (await anext(chunks)).text == "x"
        stopping = asyncio.create_task(system.stop(ref, within=60))
        with pytest.raises(ActorStopped):
            await anext(waiting)
        hold.set()
        assert [chunk.text async for chunk in chunks] == ["y", ""]
    await stopping
