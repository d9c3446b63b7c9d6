"""Hedging: a second model is asked where the first is slow to begin, and one answer counts."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from failsoft.actors import Ref, System
from failsoft.messages import GenerateText, GenerationFailed, InvalidInput, ModelOverloaded
from failsoft.messages.events import Event, FellBack, RequestFinished, RequestHedged
from failsoft.supervisors import Breaker, Budget, Hedge, candidate

from .crowd_actors import Log, Timed, asking, fixed, settled, timed
from .router_actors import BROKEN, HELLO, circuit_of, info_of, of_kind, router_of, spawn_router

pytestmark = pytest.mark.anyio

HEDGE = Hedge(minimum=5, least_seconds=0.05)
SLOW = 20.0


async def warm(ref: Ref, times: int = 5) -> None:
    """Have the first model's usual time be known."""
    for _ in range(times):
        assert (await ref.ask(HELLO)).model_used == "a"


async def pair(
    system: System, *firsts: float | Exception, second: float | Exception = 0.5, **options: object
) -> tuple[Ref, Log, Log]:
    """Give a warm router: its first model takes 1 s five times, and then as ``firsts`` say."""
    a, b = Log(), Log()
    ref = await spawn_router(
        system,
        candidate("a", timed(a, *[1.0] * 5, *firsts)),
        candidate("b", timed(b, second)),
        **{"hedge": HEDGE, "retries": 0, "degradation": None, **options},
    )
    await warm(ref)
    return ref, a, b


async def test_nothing_is_hedged_before_the_usual_time_is_known(
    system: System, events: list[Event]
) -> None:
    """Four answers are fewer than the minimum of five."""
    b = Log()
    ref = await spawn_router(
        system,
        candidate("a", timed(Log(), *[1.0] * 4, SLOW)),
        candidate("b", timed(b, 0.5)),
        hedge=HEDGE,
    )
    await warm(ref, 4)
    assert (await ref.ask(HELLO)).model_used == "a"
    assert (b.prompts, of_kind(events, RequestHedged)) == ([], [])


async def test_a_slow_one_is_hedged_and_the_first_answer_wins(
    system: System, events: list[Event]
) -> None:
    """The second is asked after the usual second; the first is stopped as soon as it answers."""
    ref, a, b = await pair(system, SLOW)
    began = system.clock.now()
    reply = await ref.ask(GenerateText("slow"))
    assert system.clock.now() - began == pytest.approx(1.5)
    assert (reply.model_used, reply.was_fallback, reply.attempts) == ("b", True, 2)
    assert (a.prompts[-1], b.prompts) == ("slow", ["slow"])
    await settled()
    assert a.stopped == ["slow"]
    assert (await info_of(ref, "a")).in_flight == (await info_of(ref, "b")).in_flight == 0
    (hedged,) = of_kind(events, RequestHedged)
    assert (hedged.model, hedged.hedge) == ("a", "b")
    assert not of_kind(events, FellBack)
    finished = of_kind(events, RequestFinished)[-1]
    assert (finished.model_used, finished.attempts, finished.outcome) == ("b", 2, "ok")


async def test_where_the_first_answers_after_all_the_hedge_is_stopped(system: System) -> None:
    """The reply is the first choice's own."""
    ref, a, b = await pair(system, 1.2)
    reply = await ref.ask(GenerateText("slow"))
    assert (reply.model_used, reply.was_fallback, reply.attempts) == ("a", False, 2)
    await settled()
    assert (a.stopped, b.stopped) == ([], ["slow"])


async def test_a_quick_answer_is_not_hedged(system: System, events: list[Event]) -> None:
    """And the timer that was set for it is gone."""
    ref, _, b = await pair(system, 0.9)
    assert (await ref.ask(HELLO)).attempts == 1
    assert (b.prompts, of_kind(events, RequestHedged)) == ([], [])
    assert not router_of(ref).context._timers


async def test_a_stream_is_one_stream_from_whoever_begins_first(system: System) -> None:
    """RT-17 FB-06 The other handler is stopped, and none of its chunks is read."""
    ref, a, b = await pair(system, SLOW)
    async with ref.stream(GenerateText("slow")) as chunks:
        got = [chunk async for chunk in chunks]
    assert [chunk.text for chunk in got] == ["slow", ""]
    assert {(chunk.model_used, chunk.was_fallback, chunk.attempts) for chunk in got} == {
        ("b", True, 2)
    }
    assert (a.stopped, b.stopped) == (["slow"], [])


async def test_a_stream_that_has_begun_is_not_hedged(system: System, events: list[Event]) -> None:
    """What counts is the first chunk, not the end."""
    ref, _, b = await pair(system, 0.5)
    async with ref.stream(GenerateText("slow reader")) as chunks:
        assert (await anext(chunks)).text == "slow reader"
        await asyncio.sleep(10)
        assert [chunk.text async for chunk in chunks] == [""]
    assert (b.prompts, of_kind(events, RequestHedged)) == ([], [])


async def test_a_spent_budget_hedges_nothing(system: System, events: list[Event]) -> None:
    """RY-03 Retries and hedges pay from one bucket."""
    ref, _, b = await pair(system, SLOW, budget=Budget(ratio=0, most=0, per_second=0))
    assert (await ref.ask(HELLO)).model_used == "a"
    assert (b.prompts, of_kind(events, RequestHedged)) == ([], [])


async def test_each_hedge_costs_a_token(system: System, events: list[Event]) -> None:
    """RY-03 Two tokens pay for two hedges, not three."""
    ref, _, _ = await pair(system, SLOW, budget=Budget(ratio=0, most=2, per_second=0))
    used = [(await ref.ask(HELLO)).model_used for _ in range(3)]
    assert (used, len(of_kind(events, RequestHedged))) == (["b", "b", "a"], 2)


@pytest.mark.parametrize(
    "error", [BROKEN, GenerationFailed("it died"), ModelOverloaded("busy"), ZeroDivisionError("a")]
)
async def test_a_hedge_that_fails_does_not_fail_the_request(
    system: System, error: Exception
) -> None:
    """The first goes on, and its answer counts."""
    ref, a, _ = await pair(system, 5.0, second=error)
    reply = await ref.ask(GenerateText("slow"))
    assert (reply.model_used, reply.was_fallback, reply.attempts) == ("a", False, 2)
    assert a.stopped == []


async def test_a_first_that_fails_leaves_the_hedge_to_answer(system: System) -> None:
    """It isn't asked a third time meanwhile."""
    ref, a, b = await pair(system, SLOW, second=10.0)
    task = await asking(ref, "slow")
    await asyncio.sleep(2)
    router_of(ref).context.children["a"].kill()
    reply = await task
    assert (reply.model_used, reply.was_fallback, reply.attempts) == ("b", True, 2)
    assert (a.prompts.count("slow"), b.prompts.count("slow")) == (1, 1)


async def test_where_both_fail_both_causes_are_told(system: System) -> None:
    """FB-03 One error, when the second of them has failed."""
    ref, _, _ = await pair(system, SLOW, second=BROKEN)
    task = await asking(ref, "slow")
    await asyncio.sleep(2)
    router_of(ref).context.children["a"].kill()
    with pytest.raises(ModelOverloaded) as failed:
        await task
    tried = failed.value.details["tried_models"]
    assert tried == {"a": "worker_lost", "b": "generation_failed"}
    assert failed.value.details["attempts"] == 2


async def test_a_callers_fault_that_the_hedge_finds_is_the_answer(system: System) -> None:
    """FB-02 The first is stopped: it would only find the same."""
    ref, a, _ = await pair(system, SLOW, second=InvalidInput("no"))
    with pytest.raises(InvalidInput):
        await ref.ask(GenerateText("slow"))
    await settled()
    assert a.stopped == ["slow"]


async def test_a_caller_who_leaves_stops_both(system: System) -> None:
    """RT-07 Neither works for nobody."""
    ref, a, b = await pair(system, SLOW, second=SLOW)
    task = await asking(ref, "slow")
    await asyncio.sleep(2)
    task.cancel()
    await settled()
    assert (a.stopped, b.stopped) == (["slow"], ["slow"])


async def test_with_one_candidate_there_is_no_hedge(system: System) -> None:
    """Nor a timer for one."""
    ref = await spawn_router(system, candidate("a", timed(Log(), *[1.0] * 5, SLOW)), hedge=HEDGE)
    await warm(ref)
    task = await asking(ref, "slow")
    assert not router_of(ref).context._timers
    assert (await task).attempts == 1


@pytest.mark.parametrize("obstacle", ["full", "open", "unready"])
async def test_a_second_that_has_no_room_is_no_hedge(
    system: System, events: list[Event], obstacle: str
) -> None:
    """AD-01 BR-04 A hedge never waits, and never goes through an open circuit."""
    b = Log()
    second = timed(b, BROKEN if obstacle == "open" else SLOW)
    ref = await spawn_router(
        system,
        candidate("a", timed(Log(), *[1.0] * 5, BROKEN, 5.0), admission=fixed(1, 0)),
        candidate("b", second, admission=fixed(1), breaker=Breaker(consecutive_failures=1)),
        hedge=HEDGE,
        retries=0,
        degradation=None,
    )
    await warm(ref)
    busy = None
    if obstacle == "full":
        busy = await asking(ref, "a fails, b takes long")
    elif obstacle == "open":
        with pytest.raises(ModelOverloaded):
            await ref.ask(HELLO)
        assert await circuit_of(ref, "b") == "open"
    else:
        router_of(ref).context.children["b"].kill()
        with pytest.raises(ModelOverloaded):
            await ref.ask(HELLO, timeout=0.01)
    before = len(b.prompts)
    reply = await ref.ask(GenerateText("slow"))
    assert (reply.model_used, reply.attempts, len(b.prompts)) == ("a", 1, before)
    assert not of_kind(events, RequestHedged)
    if busy is not None:
        assert (await busy).model_used == "b"
        await settled()
        assert len(b.prompts) == before


async def test_hedges_do_not_make_more_hedges(system: System, events: list[Event]) -> None:
    """Those that were called off count as slow too, so one in twenty stays one in twenty."""
    random = Random(3)
    ref = await spawn_router(
        system,
        candidate("a", lambda: Timed(Log(), lambda _: random.uniform(1.0, 2.0))),
        candidate("b", timed(Log(), 0.01)),
        hedge=Hedge(minimum=20),
        budget=None,
    )
    for _ in range(1000):
        await ref.ask(HELLO)
    assert len(of_kind(events, RequestHedged)) <= 100
