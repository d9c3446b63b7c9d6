"""What an operator sees of a router, in whatever state it is; and routers in routers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from failsoft.actors import System
from failsoft.messages import (
    GenerateText,
    InferenceTimeout,
    InvalidInput,
    ModelOverloaded,
    OutOfMemory,
    WorkerLost,
)
from failsoft.messages.events import Event, RequestFinished
from failsoft.supervisors import (
    Backoff,
    Breaker,
    DrainCandidate,
    LoadActor,
    RestartChild,
    TerminateChild,
    WhichCandidates,
    candidate,
    router,
)
from failsoft.supervisors.errors import ChildNotFound

from .crowd_actors import Log, asking, fixed, settled, timed
from .router_actors import BROKEN, HELLO, loading, node_of, of_kind, scripted, spawn_router

pytestmark = pytest.mark.anyio

LOST = WorkerLost("gone", details={"begun": False})


def shows(system: System) -> dict[str, Any]:
    return node_of(system).shows


async def test_the_candidates_are_shown_in_order_with_all_that_is_known(system: System) -> None:
    """BR-09 AD-01 Ready and working, ready and idle, and yet to load."""
    ref = await spawn_router(
        system,
        candidate("a", timed(Log(), 5), admission=fixed(1)),
        candidate("b", timed(Log(), 5), breaker=Breaker()),
        candidate("c", loading(100, script=["C"])),
        breaker=None,
        while_busy="wait",
    )
    await settled()
    tasks = [await asking(ref, "in work"), await asking(ref, "in line")]
    a, b, c = await ref.ask(WhichCandidates())
    assert (a.id, a.is_ready, a.circuit, a.in_flight, a.waiting, a.limit) == (
        "a",
        True,
        "none",
        1,
        1,
        1,
    )
    assert (b.id, b.is_ready, b.circuit, b.forced, b.retry_after) == ("b", True, "closed", None, 0)
    assert (b.in_flight, b.waiting, b.expected_wait, b.ready_in) == (0, 0, 0.0, None)
    assert (c.id, c.is_ready, c.expected_wait, c.ready_in) == ("c", False, None, None)
    await asyncio.gather(*tasks)
    a, *_ = await ref.ask(WhichCandidates())
    assert (a.in_flight, a.waiting, a.expected_wait) == (0, 0, 0.0)


async def test_the_tree_shows_a_router_in_every_state(system: System) -> None:
    """SV-22 RT-20 Loading, ready, working, open, down, without any ready, stopping, closed."""
    ref = await spawn_router(
        system,
        candidate("a", loading(2, script=[LOST, BROKEN, "A"]), admission=fixed(1)),
        breaker=Breaker(consecutive_failures=2, open_seconds=5),  # the crash is the first
        retries=0,
        degradation=None,
        backoff=Backoff(base=3, jitter=False),
    )
    assert shows(system)["answers_with"] is None
    waiting = await asking(ref, "waits")
    assert (shows(system)["in_hand"], shows(system)["candidates"]["a"]["waiting"]) == (1, 1)
    with pytest.raises(WorkerLost):
        await waiting
    await settled()
    down = shows(system)
    assert (down["answers_with"], down["in_hand"], down["routed"]) == (None, 0, 1)
    assert down["candidates"]["a"]["ready_in"] == 5
    await asyncio.sleep(6)
    assert shows(system)["answers_with"] == "a"
    with pytest.raises(Exception, match="broken"):
        await ref.ask(HELLO)
    opened = shows(system)
    assert (opened["candidates"]["a"]["circuit"], opened["candidates"]["a"]["retry_after"]) == (
        "open",
        5,
    )
    assert opened["retry_tokens"] == 10
    assert opened["quarantined"] == 0
    await asyncio.sleep(5)
    assert shows(system)["candidates"]["a"]["circuit"] == "half_open"
    assert (await ref.ask(HELLO)).text == "A"
    assert shows(system)["candidates"]["a"]["circuit"] == "closed"
    stopping = asyncio.ensure_future(system.stop(ref))
    await settled()
    for node in system.tree():
        assert node.shows is not None
    await stopping


async def test_the_level_is_shown(system: System) -> None:
    """DG-01 As it is now."""
    ref = await spawn_router(system, candidate("a", scripted("A")))
    assert shows(system)["degradation_level"] == "full"
    await system.spawn(lambda: LoadActor(sensors={"cpu": lambda: 0.8}), "load")
    assert shows(system)["degradation_level"] == "reduced"
    assert (await ref.ask(HELLO)).degradation_level == "reduced"


# -- routers in routers


async def test_a_router_may_be_a_candidate(system: System, events: list[Event]) -> None:
    """FB-01 The reply names the outer one's candidate; the request has one deadline."""
    log = Log()
    inner = router("inner", candidate("a", timed(Log(), BROKEN)), candidate("b", timed(log, 1)))
    ref = await spawn_router(
        system, candidate("first", inner.start), candidate("last", scripted("last"))
    )
    reply = await ref.ask(GenerateText("hello"), timeout=9)
    assert (reply.text, reply.model_used, reply.was_fallback, reply.attempts) == (
        "hello",
        "first",
        False,
        1,
    )
    assert log.deadlines == [9.0]
    finished = {event.path: event for event in of_kind(events, RequestFinished)}
    assert (finished["text/first"].model_used, finished["text/first"].attempts) == ("b", 2)
    assert (finished["text"].model_used, finished["text"].attempts) == ("first", 1)


async def test_where_all_of_the_inner_fail_the_outer_goes_on(system: System) -> None:
    """FB-03 Its one error is one cause, and no failure of the inner router."""
    inner = router("inner", candidate("a", timed(Log(), OutOfMemory("full"))), degradation=None)
    pair = router(
        "pair",
        candidate("c", timed(Log(), BROKEN)),
        candidate("d", timed(Log(), BROKEN)),
        retries=0,
        degradation=None,
    )
    ref = await spawn_router(
        system,
        candidate("alone", inner.start),
        candidate("pair", pair.start),
        candidate("last", scripted("last")),
    )
    reply = await ref.ask(HELLO)
    assert (reply.text, reply.was_fallback, reply.attempts) == ("last", True, 3)
    assert [node.restarts for node in node_of(system).children] == [0, 0, 0]


async def test_an_inner_callers_fault_is_the_answer(system: System) -> None:
    """FB-02 It goes nowhere else."""
    inner = router("inner", candidate("a", scripted(InvalidInput("no"))))
    seen: list[str] = []
    ref = await spawn_router(
        system, candidate("first", inner.start), candidate("last", scripted("x", seen=seen))
    )
    with pytest.raises(InvalidInput):
        await ref.ask(HELLO)
    assert seen == []


async def test_both_heed_the_deadline_and_both_hear_of_a_caller_who_leaves(
    system: System,
) -> None:
    """FB-05 RT-07 Nothing is left in either."""
    log = Log()
    inner = router("inner", candidate("a", timed(log, 50)))
    ref = await spawn_router(system, candidate("first", inner.start))
    late = await asking(ref, "late", timeout=5)
    leaves = await asking(ref, "leaves")
    with pytest.raises(InferenceTimeout):
        await late
    leaves.cancel()
    await settled()
    assert sorted(log.stopped) == ["late", "leaves"]
    outer = node_of(system)
    assert (outer.shows["in_hand"], outer.children[0].shows["in_hand"]) == (0, 0)


async def test_a_stream_goes_through_both(system: System) -> None:
    """RT-17 FB-06 Chunk by chunk, and its reader's leaving too."""
    log = Log()
    inner = router("inner", candidate("a", timed(Log(), BROKEN)), candidate("b", timed(log, 1, 50)))
    ref = await spawn_router(system, candidate("first", inner.start))
    async with ref.stream(GenerateText("hello")) as chunks:
        got = [chunk async for chunk in chunks]
    assert [chunk.text for chunk in got] == ["hello", ""]
    assert {chunk.model_used for chunk in got} == {"first"}
    async with ref.stream(GenerateText("leaves")) as chunks:
        reading = asyncio.ensure_future(anext(chunks))
        await settled()
        reading.cancel()
    await settled()
    assert log.stopped == ["leaves"]


async def test_the_outer_goes_past_an_inner_that_has_nobody_ready(system: System) -> None:
    """FB-01 A router is ready while one of its candidates is."""
    inner = router("inner", candidate("a", loading(3, script=["A"])))
    ref = await spawn_router(
        system, candidate("first", inner.start), candidate("last", scripted("last"))
    )
    assert (await ref.ask(HELLO)).model_used == "last"
    await asyncio.sleep(3)
    assert (await ref.ask(HELLO)).model_used == "first"


async def test_an_inner_overload_is_the_outers_to_wait_for(system: System) -> None:
    """RY-04 Its ``retry_after`` is heeded, as any server's."""
    inner = router("inner", candidate("a", timed(Log(), 3)), admission=fixed(1, 0))
    ref = await spawn_router(
        system, candidate("first", inner.start), retry_backoff=Backoff(base=0.1, jitter=False)
    )
    first = await asking(ref, "first")
    second = await asking(ref, "second")
    assert (await first).attempts == 1
    assert (await second).attempts > 1
    with pytest.raises(ModelOverloaded):
        await asyncio.gather(*(ref.ask(HELLO, timeout=1) for _ in range(2)))
    await asyncio.sleep(5)


async def test_a_drained_candidate_finishes_what_it_has_and_gets_no_more(system: System) -> None:
    """The order is answered once nothing is in hand; who comes meanwhile goes elsewhere."""
    go_on = asyncio.Event()
    ref = await spawn_router(
        system,
        candidate("a", scripted(go_on, "A")),
        candidate("b", scripted("B")),
    )
    in_hand = await asking(ref, "one")
    draining = asyncio.ensure_future(ref.ask(DrainCandidate("a"), timeout=5))
    await settled()
    assert (await ref.ask(HELLO)).text == "B"
    assert not draining.done()
    go_on.set()
    assert (await in_hand).text == "A"
    await draining
    a, b = await ref.ask(WhichCandidates())
    assert (a.is_drained, a.is_ready, b.is_drained) == (True, False, False)


async def test_a_drained_candidate_is_asked_again_once_it_is_restarted(system: System) -> None:
    """Until then it stays out, however often it is drained."""
    ref = await spawn_router(system, candidate("a", scripted("A")), candidate("b", scripted("B")))
    await ref.ask(DrainCandidate("a"))
    await ref.ask(DrainCandidate("a"))
    assert (await ref.ask(HELLO)).text == "B"
    await ref.ask(TerminateChild("a"))
    await ref.ask(RestartChild("a"))
    await settled()
    assert (await ref.ask(HELLO)).text == "A"


async def test_draining_what_is_not_there(system: System) -> None:
    """Is refused, and harms nobody."""
    ref = await spawn_router(system, candidate("a", scripted("A")))
    with pytest.raises(ChildNotFound):
        await ref.ask(DrainCandidate("b"))
    assert (await ref.ask(HELLO)).text == "A"
