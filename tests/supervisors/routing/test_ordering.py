"""Which of a router's candidates is asked first: the first, or of equals the least loaded."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import System
from failsoft.messages import GenerationFailed, ModelOverloaded
from failsoft.supervisors import Hedge, OrderCandidates, RoutePolicy, candidate

from .dispatcher_world import World
from .router_actors import HELLO, scripted, spawn_router

NOBODY = scripted("nobody")
EQUALS = RoutePolicy(prefer="least_loaded", retries=0, degradation=None)


def world(*ids: str, policy: RoutePolicy = EQUALS, seed: int = 1) -> World:
    """Give a world whose models are ready."""
    made = World([candidate(id, NOBODY) for id in ids], policy, seed=seed)
    for id in ids:
        made.start(id)
    return made


def test_of_equals_the_one_with_the_least_in_hand_gets_it() -> None:
    """Requests are spread evenly, and one that has answered is the next to be asked."""
    # given
    made = world("a", "b", "c")
    for _ in range(6):
        made.arrive()
    assert [len(made.at(id)) for id in ("a", "b", "c")] == [2, 2, 2]
    # when
    made.answer(made.at("b")[0])
    made.arrive()
    # then
    assert [len(made.at(id)) for id in ("a", "b", "c")] == [2, 2, 2]
    made.finish()


def test_routers_of_equals_do_not_all_begin_with_the_same_one() -> None:
    """Many services have the same list; chance settles it where none has anything in hand."""
    first = set()
    for seed in range(20):
        made = world("a", "b", "c", seed=seed)
        made.arrive()
        first.add(made.sent[0].target.id)
    assert first == {"a", "b", "c"}


def test_none_of_equals_is_a_fallback() -> None:
    """FB-01 ``was_fallback`` tells of a stand-in, and an equal is none."""
    made = world("a", "b")
    routes = [made.arrive() for _ in range(2)]
    assert {route.model for route in routes} == {"a", "b"}
    assert not any(route.was_fallback for route in routes)
    made.finish()


def test_what_an_equal_failed_is_told_though_it_is_no_fallback() -> None:
    """FB-01 Answers hide it: nothing else tells which of them fails, and with what."""
    # given
    made = world("a", "b")
    route = made.arrive()
    # when
    made.fail(made.sent[0], GenerationFailed("broken"))
    # then
    assert made.told["FellBack"] == 1
    assert not route.was_fallback
    made.finish()


def test_an_equal_that_refuses_is_passed_by_for_another() -> None:
    """FB-01 What one has no room for, another one gets, though that has more in hand."""
    # given
    made = world("a", "b")
    route = made.arrive()
    first = made.sent[0]
    # when
    made.fail(first, ModelOverloaded("full"))
    # then
    (second,) = route.attempts
    assert second.target is not first.target
    made.finish()


def test_an_equal_that_asks_to_be_left_alone_is_asked_last_until_then() -> None:
    """RY-04 It has the least in hand, since it refuses all: that is no reason to ask it."""
    # given
    made = world("a", "b")
    made.arrive()
    refuses = made.sent[0]
    made.fail(refuses, ModelOverloaded("full", details={"retry_after": 5.0}))
    busy = made.sent[1].target.id
    # when
    for _ in range(3):
        made.arrive()
    # then
    assert len(made.at(busy)) == 4
    made.advance(5.0)
    made.arrive()
    assert [attempt.target.id for attempt in made.at(refuses.target.id)] == [refuses.target.id]
    made.finish()


def test_a_failure_that_asks_for_nothing_takes_back_no_such_wish() -> None:
    """RY-04 Of what it had in hand one is refused and another one breaks: it rests all the same."""
    # given
    made = world("a", "b")
    for _ in range(4):
        made.arrive()
    refused, broken = made.at("a")
    # when
    made.fail(refused, ModelOverloaded("full", details={"retry_after": 5.0}))
    made.fail(broken, GenerationFailed("broken").as_answer())
    made.arrive()
    # then
    assert [len(made.at(id)) for id in ("a", "b")] == [0, 5]
    made.finish()


def test_a_hedge_goes_to_the_equal_with_the_least_in_hand() -> None:
    """FB-01 As the first try does: in their order all hedges would crowd onto the first one."""
    # given
    hedge = Hedge(minimum=1, least_seconds=0.1)
    policy = RoutePolicy(prefer="least_loaded", retries=0, degradation=None, hedge=hedge)
    made = world("a", "b", "c", policy=policy)
    for _ in range(3):
        made.arrive()
    for attempt in tuple(made.live.values()):
        made.answer(attempt)
    # when
    for _ in range(3):
        made.arrive()
        made.advance(0.2)
    # then
    assert made.told["RequestHedged"] == 3
    assert [len(made.at(id)) for id in ("a", "b", "c")] == [2, 2, 2]
    made.finish()


def test_without_it_all_go_to_the_first_that_has_room() -> None:
    """FB-01 Candidates stand in for one another in their order."""
    made = world("a", "b", policy=RoutePolicy(retries=0, degradation=None))
    for _ in range(6):
        made.arrive()
    assert [len(made.at(id)) for id in ("a", "b")] == [6, 0]
    made.finish()


@pytest.mark.anyio
async def test_none_of_equals_is_a_fallback_after_they_were_put_in_another_order(
    system: System,
) -> None:
    """FB-01 With real actors: one is asked while the other has its hands full."""
    # given
    hold = asyncio.Event()
    equals = [candidate(id, scripted(hold, id.upper())) for id in "ab"]
    ref = await spawn_router(system, *equals, prefer="least_loaded")
    await ref.ask(OrderCandidates(("b", "a")))
    # when
    asked = [asyncio.create_task(ref.ask(HELLO)) for _ in range(2)]
    await asyncio.sleep(1)
    hold.set()
    replies = await asyncio.gather(*asked)
    # then
    assert sorted(reply.text for reply in replies) == ["A", "B"]
    assert not any(reply.was_fallback for reply in replies)


def test_another_word_is_refused() -> None:
    with pytest.raises(ValueError, match="prefer must be"):
        RoutePolicy(prefer="fastest")  # type: ignore[arg-type]
