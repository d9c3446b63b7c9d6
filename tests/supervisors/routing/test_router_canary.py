"""The canary: a request of the router's own as the probe, and nobody's else."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import System, current_deadline
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InferenceTimeout,
    ModelOverloaded,
    WorkerLost,
)
from failsoft.messages.events import ActorFailed, BreakerChanged, Event, RequestFinished
from failsoft.supervisors import Backoff, Breaker, Hedge, candidate

from .router_actors import (
    BROKEN,
    HELLO,
    Answer,
    Scripted,
    circuit_of,
    info_of,
    loading,
    of_kind,
    router_of,
    scripted,
    spawn_router,
)

pytestmark = pytest.mark.anyio

CANARY = GenerateText("canary", max_tokens=1)
ONE = Breaker(
    consecutive_failures=1, failure_rate=None, open_seconds=60, longest_open=600, probe_seconds=30
)
ONCE: dict[str, object] = {"retries": 0, "degradation": None, "breaker": ONE}


async def test_the_canary_is_sent_when_the_open_time_is_over(
    system: System, events: list[Event]
) -> None:
    """BR-05 Nobody's request is the probe, and the canary is no request that is told of."""
    seen: list[str] = []
    a = candidate("a", scripted(BROKEN, "well", "A", seen=seen), canary=CANARY)
    ref = await spawn_router(system, a, **ONCE)
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(59)
    assert seen == ["hello"]
    await asyncio.sleep(2)
    assert seen == ["hello", "canary"]
    assert await circuit_of(ref, "a") == "closed"
    assert (await ref.ask(HELLO)).text == "A"
    assert len(of_kind(events, RequestFinished)) == 2
    assert router_of(ref).inspect()["in_hand"] == 0


async def test_while_the_canary_is_out_requests_are_refused_or_fall_back(system: System) -> None:
    """BR-05 Even where the canary takes its time."""
    seen: list[str] = []
    a = candidate("a", scripted(BROKEN, asyncio.Event(), seen=seen), canary=CANARY)
    ref = await spawn_router(system, a, **ONCE)
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(61)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO)
    assert caught.value.details["tried_models"] == {"a": "circuit_open"}
    assert seen == ["hello", "canary"]


async def test_who_waits_is_sent_once_the_canary_is_well(system: System) -> None:
    """FB-04 A request that waits for another model's load goes to the one that is well again."""
    a = candidate("a", scripted(BROKEN, "well", "A"), canary=CANARY)
    slow = candidate("b", loading(1000, script=["B"]))
    ref = await spawn_router(system, a, slow, **ONCE)
    failing = asyncio.create_task(ref.ask(HELLO, timeout=1))
    await asyncio.sleep(0)
    asked = [asyncio.create_task(ref.ask(HELLO, timeout=100)) for _ in range(3)]
    with pytest.raises(InferenceTimeout):
        await failing
    replies = await asyncio.gather(*asked)
    assert {reply.model_used for reply in replies} == {"a"}


async def test_a_canary_that_fails_opens_it_again(system: System, events: list[Event]) -> None:
    """BR-05 For twice as long, and then the next canary goes out by itself."""
    seen: list[str] = []
    a = candidate("a", scripted(BROKEN, BROKEN, "well", seen=seen), canary=CANARY)
    ref = await spawn_router(system, a, **ONCE)
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(61)
    assert (await info_of(ref, "a")).retry_after == pytest.approx(119)
    await asyncio.sleep(120)
    assert seen == ["hello", "canary", "canary"]
    assert [event.after for event in of_kind(events, BreakerChanged)] == [
        "open",
        "half_open",
        "open",
        "half_open",
        "closed",
    ]


async def test_the_canary_waits_for_the_model_to_be_ready(system: System) -> None:
    """The open time is over while it loads: the canary goes out as soon as it has."""
    seen: list[str] = []

    class Late(Scripted):
        async def on_start(self) -> None:
            if self.context.incarnation > 1:
                self.context.defer_ready()
                self.context.call_after(99, lambda: self.context.set_ready(True))

    script: list[Answer] = [WorkerLost("gone"), "well"]
    a = candidate("a", lambda: Late(script, seen), canary=CANARY)
    ref = await spawn_router(system, a, backoff=Backoff(base=1, jitter=False), **ONCE)
    with pytest.raises(WorkerLost):
        await ref.ask(HELLO)
    await asyncio.sleep(99)
    assert seen == ["hello"]
    await asyncio.sleep(1.1)
    assert seen == ["hello", "canary"]
    assert await circuit_of(ref, "a") == "closed"


async def test_a_canary_that_never_returns_is_called_off(
    system: System, events: list[Event]
) -> None:
    """BR-06 It holds its slot for no longer than its time; the next one follows by itself."""
    seen: list[str] = []
    a = candidate("a", scripted(BROKEN, asyncio.Event(), "well", seen=seen), canary=CANARY)
    ref = await spawn_router(system, a, **ONCE)
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(61)
    assert (await info_of(ref, "a")).in_flight == 1
    await asyncio.sleep(30)
    info = await info_of(ref, "a")
    assert (info.circuit, info.in_flight) == ("open", 0)
    await asyncio.sleep(120)
    assert seen == ["hello", "canary", "canary"]
    assert await circuit_of(ref, "a") == "closed"
    assert [event.at for event in of_kind(events, BreakerChanged)] == [0, 60, 90, 210, 210]


async def test_the_canary_has_a_deadline(system: System) -> None:
    """No hop works past it: the model sees the probe's time."""
    deadlines: list[float] = []

    class Watching(Scripted):
        def _next(self) -> Answer:
            deadlines.append(current_deadline())
            return super()._next()

    script: list[Answer] = [BROKEN, "well"]
    ref = await spawn_router(
        system, candidate("a", lambda: Watching(script, []), canary=CANARY), **ONCE
    )
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO, deadline=20)
    await asyncio.sleep(61)
    assert deadlines == [20, 90]


async def test_a_canary_is_not_hedged(system: System, events: list[Event]) -> None:
    """It is about one model, so no other one is asked; and the router lives."""
    seen: list[str] = []
    script: list[Answer] = ["A", "A", BROKEN, asyncio.Event()]
    a = candidate("a", scripted(*script), canary=CANARY)
    b = candidate("b", scripted("B", seen=seen))
    ref = await spawn_router(system, a, b, **ONCE, hedge=Hedge(minimum=1))
    for _ in range(2):
        assert (await ref.ask(HELLO)).model_used == "a"
    assert (await ref.ask(HELLO)).model_used == "b"
    await asyncio.sleep(70)
    assert seen == ["hello"]
    assert not of_kind(events, ActorFailed)


async def test_after_its_canary_the_router_keeps_no_timer(system: System) -> None:
    """What was set for the probe is called off or over, once its time is."""
    a = candidate("a", scripted(BROKEN, "well", "A"), canary=CANARY)
    ref = await spawn_router(system, a, **ONCE)
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(60 + 31)
    assert not router_of(ref).context._timers


async def test_where_two_have_to_succeed_a_second_canary_follows_the_first(
    system: System,
) -> None:
    """BR-05 Nobody's request takes the second place, either."""
    seen: list[str] = []
    first = asyncio.Event()
    breaker = Breaker(
        consecutive_failures=1, failure_rate=None, open_seconds=60, longest_open=600, probes=2
    )
    a = candidate("a", scripted(BROKEN, first, "well", seen=seen), canary=CANARY)
    ref = await spawn_router(system, a, **{**ONCE, "breaker": breaker})
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(61)
    with pytest.raises(ModelOverloaded):
        await ref.ask(HELLO)
    first.set()
    await asyncio.sleep(1)
    assert seen == ["hello", "canary", "canary"]
    assert await circuit_of(ref, "a") == "closed"


@pytest.mark.parametrize(("seconds", "waited"), [(0, 1), (20, 20)])
async def test_a_canary_that_is_refused_is_sent_again(
    system: System, seconds: float, waited: float
) -> None:
    """BR-08 A refusal tells nothing of the model, so the circuit waits for the next one."""
    seen: list[str] = []
    busy = ModelOverloaded("busy", details={"retry_after": seconds})
    a = candidate("a", scripted(BROKEN, busy, "well", seen=seen), canary=CANARY)
    ref = await spawn_router(system, a, **ONCE)
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(60 + waited - 0.5)
    assert seen == ["hello", "canary"]
    assert await circuit_of(ref, "a") == "half_open"
    await asyncio.sleep(1)
    assert await circuit_of(ref, "a") == "closed"
