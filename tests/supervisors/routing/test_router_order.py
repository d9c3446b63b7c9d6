"""A router's candidates in another order, and under another name, while it runs."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import System
from failsoft.supervisors import (
    AwaitIdle,
    DeleteChild,
    DrainCandidate,
    OrderCandidates,
    StartChild,
    TerminateChild,
    WhichCandidates,
    candidate,
)

from .router_actors import HELLO, scripted, spawn_router

pytestmark = pytest.mark.anyio


async def test_the_order_is_that_which_was_said_last(system: System) -> None:
    """FB-01 Whoever is first now is no fallback; those that aren't named come after it."""
    a, b, c = (candidate(id, scripted(id.upper())) for id in "abc")
    ref = await spawn_router(system, a, b, c)
    assert (await ref.ask(HELLO)).model_used == "a"
    await ref.ask(OrderCandidates(("c", "absent", "b")))
    reply = await ref.ask(HELLO)
    assert (reply.model_used, reply.was_fallback) == ("c", False)
    assert [each.id for each in await ref.ask(WhichCandidates())] == ["c", "b", "a"]


async def test_one_takes_the_place_of_another(system: System) -> None:
    """Under its name; what the old one has in hand is finished, and each is answered once."""
    hold, seen = asyncio.Event(), list[str]()
    ref = await spawn_router(system, candidate("a", scripted(hold, "old", seen=seen)))
    in_hand = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    await ref.ask(StartChild(candidate("a.2", scripted("new"), name="a")))
    await ref.ask(OrderCandidates(("a.2",)))
    draining = asyncio.create_task(ref.ask(DrainCandidate("a")))
    reply = await ref.ask(HELLO)
    assert (reply.text, reply.model_used, reply.was_fallback) == ("new", "a", False)
    assert not draining.done()
    hold.set()
    last = await in_hand
    assert (last.text, last.was_fallback, len(seen)) == ("old", False, 1)
    await draining
    await ref.ask(TerminateChild("a"))
    await ref.ask(DeleteChild("a"))
    assert [each.id for each in await ref.ask(WhichCandidates())] == ["a.2"]


async def test_whoever_waits_for_idleness_is_told_once_all_are_answered(system: System) -> None:
    """At once, where nothing is in hand."""
    hold = asyncio.Event()
    ref = await spawn_router(system, candidate("a", scripted(hold, "A")))
    await ref.ask(AwaitIdle())
    in_hand = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    waiting = asyncio.create_task(ref.ask(AwaitIdle()))
    await asyncio.sleep(1)
    assert not waiting.done()
    hold.set()
    await waiting
    assert in_hand.done()
