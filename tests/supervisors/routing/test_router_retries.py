"""Retries: which failures, after what waits, and how many in all."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import System
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InferenceError,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    WorkerLost,
)
from failsoft.messages.events import Event, RequestFinished, RequestRetried
from failsoft.supervisors import Backoff, Budget, candidate

from .router_actors import BROKEN, HELLO, Answer, now, of_kind, router_of, scripted, spawn_router

pytestmark = pytest.mark.anyio

BUSY = ModelOverloaded("busy")
FULL = OutOfMemory("full").as_answer()
STEADY = Backoff(jitter=False)
# Without a circuit, which would end a long series of failures.
PLAIN: dict[str, object] = {"retry_backoff": STEADY, "breaker": None, "degradation": None}


async def test_retries_come_after_1_2_and_4_seconds(system: System, events: list[Event]) -> None:
    """RY-01 The last error is the one that is raised, with all the attempts."""
    errors = [GenerationFailed(f"the {n}th").as_answer() for n in range(1, 5)]
    seen: list[str] = []
    ref = await spawn_router(system, candidate("a", scripted(*errors, seen=seen)), **PLAIN)
    with pytest.raises(GenerationFailed, match="the 4th") as caught:
        await ref.ask(HELLO)
    assert caught.value.details["attempts"] == 4 == len(seen)
    assert now() == pytest.approx(7)
    retried = of_kind(events, RequestRetried)
    assert [(event.round, event.delay) for event in retried] == [(1, 1), (2, 2), (3, 4)]
    (finished,) = of_kind(events, RequestFinished)
    assert (finished.attempts, finished.outcome) == (4, "generation_failed")


async def test_a_model_that_is_ready_though_it_lost_its_worker_is_asked_again_at_once(
    system: System, events: list[Event]
) -> None:
    """WK-01 A spare has taken over: a pause would give it time for nothing."""
    gone = WorkerLost("gone", details={"worker": 1}).as_answer()
    ref = await spawn_router(system, candidate("a", scripted(gone, "fine")), **PLAIN)
    assert (await ref.ask(HELLO)).text == "fine"
    assert now() == 0
    (retried,) = of_kind(events, RequestRetried)
    assert (retried.delay, retried.is_owed) == (0, True)


async def test_the_waits_are_jittered(system: System, events: list[Event]) -> None:
    """RY-01 Each is drawn from 0 up to the bound: no two requests come back together."""
    options = {**PLAIN, "retry_backoff": Backoff(), "budget": None}
    ref = await spawn_router(system, candidate("a", scripted(BUSY)), retries=1, **options)
    asked = [asyncio.create_task(ref.ask(HELLO)) for _ in range(50)]
    await asyncio.wait(asked)
    assert all(isinstance(task.exception(), ModelOverloaded) for task in asked)
    delays = [event.delay for event in of_kind(events, RequestRetried)]
    assert len(set(delays)) == 50
    assert min(delays) < 0.2
    assert 0.8 < max(delays) <= 1


async def test_what_a_retry_can_not_mend_is_not_retried(system: System) -> None:
    """RY-01 The same model will run out of memory again."""
    seen: list[str] = []
    ref = await spawn_router(system, candidate("a", scripted(FULL, seen=seen)), **PLAIN)
    with pytest.raises(OutOfMemory) as caught:
        await ref.ask(HELLO)
    assert caught.value.details["attempts"] == 1 == len(seen)
    assert now() == 0


async def test_a_round_is_retried_where_one_of_its_failures_may_be_mended(system: System) -> None:
    """RY-01 And attempts count the sends of all rounds, in the reply too."""
    ref = await spawn_router(
        system, candidate("a", scripted(FULL)), candidate("b", scripted(BUSY, "B")), **PLAIN
    )
    reply = await ref.ask(HELLO)
    assert (reply.model_used, reply.attempts) == ("b", 4)
    assert now() == 1


async def test_a_refusal_for_good_is_not_retried(system: System) -> None:
    """RY-01 WK-10 A nested route that has found the request poisonous is believed."""
    seen: list[str] = []
    error = PoisonedRequest("it is")
    ref = await spawn_router(system, candidate("a", scripted(error, seen=seen)), **PLAIN)
    with pytest.raises(PoisonedRequest):
        await ref.ask(HELLO)
    assert len(seen) == 1


async def test_only_the_waits_that_end_before_the_deadline_are_begun(system: System) -> None:
    """RY-02 After the first second there are 1.5 left: the next wait, of 2, isn't begun."""
    ref = await spawn_router(system, candidate("a", scripted(BUSY)), **PLAIN)
    with pytest.raises(ModelOverloaded, match="busy") as caught:
        await ref.ask(HELLO, timeout=2.5)
    assert caught.value.details["attempts"] == 2
    assert now() == 1


async def test_a_hundred_failures_at_once_cost_about_ten_retries(
    system: System, events: list[Event]
) -> None:
    """RY-03 The bucket's ten, and what comes by itself in the seconds that they take."""
    seen: list[str] = []
    ref = await spawn_router(system, candidate("a", scripted(BUSY, seen=seen)), **PLAIN)
    asked = [asyncio.create_task(ref.ask(HELLO)) for _ in range(100)]
    await asyncio.wait(asked)
    assert all(isinstance(task.exception(), ModelOverloaded) for task in asked)
    assert len(seen) == 110
    assert len(of_kind(events, RequestRetried)) == 10


async def test_the_budget_refills_with_successes(system: System) -> None:
    """RY-03 Ten successes buy one retry, and not two."""
    good: list[Answer] = ["A"] * 10
    script: list[Answer] = [BUSY, BUSY, *good, BUSY, "retried", BUSY]
    budget = Budget(ratio=0.1, most=1.0, per_second=0)
    ref = await spawn_router(system, candidate("a", scripted(*script)), budget=budget, **PLAIN)
    with pytest.raises(ModelOverloaded):  # the first retry is paid for, the second isn't
        await ref.ask(HELLO)
    for _ in good:
        assert (await ref.ask(HELLO)).attempts == 1
    reply = await ref.ask(HELLO)
    assert (reply.text, reply.attempts) == ("retried", 2)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO)
    assert caught.value.details["attempts"] == 1
    # The one that was retried was a success as well.
    assert router_of(ref).inspect()["retry_tokens"] == pytest.approx(0.1)


@pytest.mark.parametrize(("asked_for", "waited"), [(30, 30), (0.5, 1)])
async def test_a_retry_after_is_heeded_where_it_is_longer_than_the_backoff(
    system: System, asked_for: float, waited: float
) -> None:
    """RY-04 The larger of the two is waited."""
    busy = ModelOverloaded("busy", details={"retry_after": asked_for})
    ref = await spawn_router(system, candidate("a", scripted(busy, "A")), **PLAIN)
    assert (await ref.ask(HELLO, timeout=60)).attempts == 2
    assert now() == waited


async def test_of_several_that_ask_for_time_the_shortest_counts(system: System) -> None:
    """RY-04 The round begins when the first of them may be asked again."""
    late = ModelOverloaded("busy", details={"retry_after": 50})
    soon = ModelOverloaded("busy", details={"retry_after": 20})
    ref = await spawn_router(
        system, candidate("a", scripted(late)), candidate("b", scripted(soon, "B")), **PLAIN
    )
    assert (await ref.ask(HELLO, timeout=60)).model_used == "b"
    assert now() == 20


async def test_a_retry_after_past_the_deadline_ends_it_now(system: System) -> None:
    """RY-02 RY-04 And the caller is told of it."""
    busy = ModelOverloaded("busy", details={"retry_after": 50})
    ref = await spawn_router(system, candidate("a", scripted(busy)), **PLAIN)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO, timeout=49)
    assert caught.value.details["retry_after"] == 50
    assert now() == 0


@pytest.mark.parametrize("retries", [0, 1])
async def test_the_policy_says_how_many_rounds(system: System, retries: int) -> None:
    """RY-01 None at all, for one."""
    seen: list[str] = []
    ref = await spawn_router(
        system, candidate("a", scripted(BROKEN, seen=seen)), retries=retries, **PLAIN
    )
    with pytest.raises(InferenceError):
        await ref.ask(GenerateText("hello"))
    assert len(seen) == retries + 1


async def test_a_caller_who_leaves_in_a_pause_ends_the_request(
    system: System, events: list[Event]
) -> None:
    """Law 3 It isn't sent again, and its timer is off."""
    seen: list[str] = []
    ref = await spawn_router(system, candidate("a", scripted(BUSY, seen=seen)), **PLAIN)
    asked = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(0.5)
    asked.cancel()
    await asyncio.wait([asked])
    assert not router_of(ref).context._timers
    await asyncio.sleep(1)
    assert len(seen) == 1
    (finished,) = of_kind(events, RequestFinished)
    assert finished.outcome == "cancelled"


async def test_the_try_after_a_lost_worker_is_free(system: System) -> None:
    """RY-03 WK-01 It comes to a new worker; the budget is for what others would have to bear."""
    lost = WorkerLost("gone", details={"begun": False}).as_answer()
    ref = await spawn_router(
        system,
        candidate("a", scripted(*[lost] * 20, "A")),
        **PLAIN,
        budget=Budget(ratio=0.01, most=1.0, per_second=0.0),
    )
    replies = await asyncio.gather(*(ref.ask(HELLO) for _ in range(20)))
    assert {reply.text for reply in replies} == {"A"}
    assert (await ref.ask(HELLO)).attempts == 1
