"""The router's circuits: who is asked, who is left alone, and what counts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from failsoft.actors import System
from failsoft.messages import (
    ContextLengthExceeded,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    ModelLoadingFailed,
    ModelOverloaded,
    WorkerLost,
)
from failsoft.messages.events import BreakerChanged, Event
from failsoft.supervisors import (
    Backoff,
    Breaker,
    ChildNotFound,
    ForceBreaker,
    Poison,
    ResetBreaker,
    candidate,
)

from .router_actors import (
    BROKEN,
    HELLO,
    Answer,
    Loading,
    Scripted,
    circuit_of,
    info_of,
    loading,
    node_of,
    now,
    of_kind,
    scripted,
    spawn_router,
)

pytestmark = pytest.mark.anyio

# One send a request, so that what counts can be counted.
ONCE: dict[str, object] = {"retries": 0, "degradation": None}
TWO = Breaker(consecutive_failures=2, failure_rate=None, open_seconds=60, longest_open=600)
ONE = Breaker(consecutive_failures=1, failure_rate=None, open_seconds=60, longest_open=600)


def changes(events: list[Event]) -> list[tuple[str, str]]:
    """Give each change of a circuit as (after, reason)."""
    return [(event.after, event.reason) for event in of_kind(events, BreakerChanged)]


async def test_an_open_circuit_refuses_at_once_without_touching_the_model(system: System) -> None:
    """BR-04 The error holds the state and the seconds to retry."""
    seen: list[str] = []
    ref = await spawn_router(
        system, candidate("a", scripted(BROKEN, seen=seen)), breaker=TWO, **ONCE
    )
    for _ in range(2):
        with pytest.raises(GenerationFailed):
            await ref.ask(HELLO)
    await asyncio.sleep(20)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO)
    assert caught.value.details["circuit_state"] == "open"
    assert caught.value.details["retry_after"] == pytest.approx(40)
    assert caught.value.details["tried_models"] == {"a": "circuit_open"}
    assert len(seen) == 2


async def test_past_an_open_circuit_a_request_falls_back(system: System) -> None:
    """BR-04 FB-01 The model isn't touched, and the reply counts one send."""
    seen: list[str] = []
    ref = await spawn_router(
        system,
        candidate("a", scripted(BROKEN, seen=seen)),
        candidate("b", scripted("B")),
        breaker=ONE,
    )
    assert (await ref.ask(HELLO)).attempts == 2
    reply = await ref.ask(HELLO)
    assert (reply.model_used, reply.was_fallback, reply.attempts) == ("b", True, 1)
    assert len(seen) == 1


async def test_after_the_open_time_so_many_probes_go_through(system: System) -> None:
    """BR-05 The rest is refused; all well, and it is closed with clean counts."""
    probing = asyncio.Event()
    breaker = Breaker(consecutive_failures=2, failure_rate=None, open_seconds=10, probes=2)
    script: list[Answer] = [BROKEN, BROKEN, probing, "A1", "A2", BROKEN, "A3"]
    ref = await spawn_router(system, candidate("a", scripted(*script)), breaker=breaker, **ONCE)
    for _ in range(2):
        with pytest.raises(GenerationFailed):
            await ref.ask(HELLO)
    await asyncio.sleep(10)
    first = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(0)
    assert (await ref.ask(HELLO)).text == "A1"
    assert await circuit_of(ref, "a") == "half_open"
    probing.set()
    assert (await first).text == "A2"
    assert await circuit_of(ref, "a") == "closed"
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    assert await circuit_of(ref, "a") == "closed"


async def test_while_all_probes_are_out_the_others_are_refused(system: System) -> None:
    """BR-05 At once, and the model doesn't see them."""
    seen: list[str] = []
    ref = await spawn_router(
        system,
        candidate("a", scripted(BROKEN, asyncio.Event(), seen=seen)),
        breaker=Breaker(consecutive_failures=1, open_seconds=10, probe_seconds=30),
        **ONCE,
    )
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(10)
    probe = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(5)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO)
    assert caught.value.details["retry_after"] == pytest.approx(25)
    assert len(seen) == 2
    probe.cancel()


async def test_a_failed_probe_opens_it_again_for_longer(
    system: System, events: list[Event]
) -> None:
    """BR-05 Twice as long; each change is told."""
    ref = await spawn_router(system, candidate("a", scripted(BROKEN)), breaker=ONE, **ONCE)
    for pause in (60, 0):
        with pytest.raises(GenerationFailed):
            await ref.ask(HELLO)
        await asyncio.sleep(pause)
    info = await info_of(ref, "a")
    assert info.circuit == "open"
    assert info.retry_after == pytest.approx(120)
    assert changes(events) == [
        ("open", "1 failures in a row"),
        ("half_open", "the open time is over"),
        ("open", "a probe failed"),
    ]
    assert [event.open_seconds for event in of_kind(events, BreakerChanged)] == [60, 0, 120]
    assert {event.model for event in of_kind(events, BreakerChanged)} == {"a"}


async def test_once_its_probe_succeeds_requests_go_back_to_the_primary(system: System) -> None:
    """FB-04 BR-05 Those under way stay where they are."""
    go = asyncio.Event()
    ref = await spawn_router(
        system,
        candidate("a", scripted(BROKEN, "A")),
        candidate("b", scripted(go, "B")),
        breaker=ONE,
    )
    under_way = asyncio.create_task(ref.ask(HELLO, timeout=100))
    await asyncio.sleep(59)
    go_on = asyncio.create_task(ref.ask(HELLO, timeout=100))
    await asyncio.sleep(1)
    assert (await ref.ask(HELLO)).model_used == "a"
    assert (await ref.ask(HELLO)).model_used == "a"
    go.set()
    assert {(await under_way).model_used, (await go_on).model_used} == {"b"}


async def test_a_probe_that_never_returns_is_given_up(system: System, events: list[Event]) -> None:
    """BR-06 It opens again, and the next probe closes it, while the first one still hangs."""
    breaker = Breaker(consecutive_failures=1, open_seconds=10, probe_seconds=30)
    ref = await spawn_router(
        system, candidate("a", scripted(BROKEN, asyncio.Event(), "A")), breaker=breaker, **ONCE
    )
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(10)
    hanging = asyncio.create_task(ref.ask(HELLO, timeout=1000))
    await asyncio.sleep(30)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO)
    assert caught.value.details["retry_after"] == pytest.approx(20)
    await asyncio.sleep(20)
    assert (await ref.ask(HELLO)).text == "A"
    assert await circuit_of(ref, "a") == "closed"
    assert not hanging.done()
    hanging.cancel()


async def test_a_probe_given_up_is_told_when_it_is_not_when_somebody_looks(
    system: System, events: list[Event]
) -> None:
    """BR-06 SV-22 The event comes at the time of the change."""
    breaker = Breaker(consecutive_failures=1, open_seconds=10, probe_seconds=30)
    ref = await spawn_router(
        system, candidate("a", scripted(BROKEN, asyncio.Event())), breaker=breaker, **ONCE
    )
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(10)
    hanging = asyncio.create_task(ref.ask(HELLO, timeout=1000))
    await asyncio.sleep(31)
    assert [(event.after, event.at) for event in of_kind(events, BreakerChanged)] == [
        ("open", 0),
        ("half_open", 10),
        ("open", 40),
    ]
    hanging.cancel()


async def test_what_began_before_a_change_does_not_count_after_it(system: System) -> None:
    """BR-07 A late failure doesn't open the half-open circuit, a late success doesn't close it."""
    early, probing = asyncio.Event(), asyncio.Event()
    script: list[Answer] = [early, early, BROKEN, probing, BROKEN, "late", "probe"]
    ref = await spawn_router(system, candidate("a", scripted(*script)), breaker=ONE, **ONCE)
    fails, succeeds = (asyncio.create_task(ref.ask(HELLO, timeout=100)) for _ in range(2))
    await asyncio.sleep(0.1)
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(60)
    probe = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(0.1)
    early.set()
    with pytest.raises(GenerationFailed):
        await fails
    assert (await succeeds).text == "late"
    assert await circuit_of(ref, "a") == "half_open"
    probing.set()
    assert (await probe).text == "probe"
    assert await circuit_of(ref, "a") == "closed"


@pytest.mark.parametrize("is_probe", [False, True], ids=["closed", "half-open"])
async def test_a_callers_fault_counts_as_nothing(system: System, is_probe: bool) -> None:
    """BR-08 As a probe, it gives its place to the next."""
    fault = ContextLengthExceeded.of(9, 4)
    script: list[Answer] = [BROKEN, fault, "A"] if is_probe else [fault]
    ref = await spawn_router(system, candidate("a", scripted(*script)), breaker=ONE, **ONCE)
    if is_probe:
        with pytest.raises(GenerationFailed):
            await ref.ask(HELLO)
        await asyncio.sleep(60)
    with pytest.raises(ContextLengthExceeded):
        await ref.ask(HELLO)
    assert await circuit_of(ref, "a") == ("half_open" if is_probe else "closed")
    if is_probe:
        assert (await ref.ask(HELLO)).text == "A"


async def test_a_cancelled_ask_counts_as_nothing(system: System) -> None:
    """BR-08 As the model's only answer, and as its probe."""
    script: list[Answer] = [asyncio.Event(), BROKEN, asyncio.Event(), "A"]
    ref = await spawn_router(system, candidate("a", scripted(*script)), breaker=ONE, **ONCE)
    await _cancelled_after(ref.ask(HELLO), 1)
    assert await circuit_of(ref, "a") == "closed"
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    await asyncio.sleep(60)
    await _cancelled_after(ref.ask(HELLO), 1)
    assert await circuit_of(ref, "a") == "half_open"
    assert (await ref.ask(HELLO)).text == "A"


async def _cancelled_after(asked: Coroutine[Any, Any, object], seconds: float) -> None:
    task = asyncio.create_task(asked)
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])


def _slow(seconds: float) -> asyncio.Event:
    """Give an event that is set in so many seconds."""
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, event.set)
    return event


async def test_a_deadline_shorter_than_the_usual_time_counts_as_nothing(system: System) -> None:
    """BR-08 Whether the router's clock says so or the model does."""
    timeout = InferenceTimeout.after(1)
    script: list[Answer] = [_slow(5), "A", asyncio.Event(), _slow(7), timeout]
    ref = await spawn_router(system, candidate("a", scripted(*script)), breaker=ONE, **ONCE)
    assert (await ref.ask(HELLO)).text == "A"
    with pytest.raises(InferenceTimeout):
        await ref.ask(HELLO, timeout=1)
    assert await circuit_of(ref, "a") == "closed"
    with pytest.raises(InferenceTimeout):
        await ref.ask(HELLO, timeout=1.1)
    assert await circuit_of(ref, "a") == "closed"


async def test_a_timeout_after_the_usual_time_counts(system: System) -> None:
    """BR-08 A model that hangs is found out by that."""
    script: list[Answer] = [_slow(5), "A", asyncio.Event()]
    ref = await spawn_router(system, candidate("a", scripted(*script)), breaker=ONE, **ONCE)
    assert (await ref.ask(HELLO)).text == "A"
    with pytest.raises(InferenceTimeout):
        await ref.ask(HELLO, timeout=5)
    assert await circuit_of(ref, "a") == "open"


async def test_an_operator_holds_a_circuit_open_and_closed(
    system: System, events: list[Event]
) -> None:
    """BR-09 Seen in the tree, in WhichCandidates, and as events; let go of, it is closed."""
    seen: list[str] = []
    a = candidate("a", scripted("A", BROKEN, seen=seen))
    ref = await spawn_router(system, a, breaker=ONE, **ONCE)
    await ref.ask(ForceBreaker("a", "open"))
    assert _in_tree(system, "a") == ("open", "open")
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO)
    assert caught.value.details["circuit_state"] == "open"
    assert not seen
    await ref.ask(ForceBreaker("a", "closed"))
    assert (await ref.ask(HELLO)).text == "A"
    for _ in range(3):
        with pytest.raises(GenerationFailed):
            await ref.ask(HELLO)
    info = await info_of(ref, "a")
    assert (info.circuit, info.forced) == ("closed", "closed") == _in_tree(system, "a")
    await ref.ask(ForceBreaker("a", None))
    assert _in_tree(system, "a") == ("closed", None)
    assert [after for after, _ in changes(events)] == ["open", "closed", "closed"]


def _in_tree(system: System, id: str) -> tuple[str, str | None]:
    shown = node_of(system).shows["candidates"][id]
    return shown["circuit"], shown["forced"]


async def test_an_operator_resets_a_circuit(system: System) -> None:
    """BR-09 It is closed, and the next opening is as short as the first."""
    a = candidate("a", scripted(BROKEN, BROKEN, "A", BROKEN))
    ref = await spawn_router(system, a, breaker=ONE, **ONCE)
    for _ in range(2):
        with pytest.raises(GenerationFailed):
            await ref.ask(HELLO)
        await ref.ask(ResetBreaker("a"))
    assert (await ref.ask(HELLO)).text == "A"
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    assert (await info_of(ref, "a")).retry_after == pytest.approx(60)


@pytest.mark.parametrize("order", [ForceBreaker("z", "open"), ResetBreaker("z")])
async def test_an_order_for_an_unknown_candidate_is_refused(
    system: System, order: ForceBreaker | ResetBreaker
) -> None:
    """BR-09 And the router lives."""
    ref = await spawn_router(system, candidate("a", scripted("A")))
    with pytest.raises(ChildNotFound):
        await ref.ask(order)
    assert (await ref.ask(HELLO)).text == "A"
    assert node_of(system).restarts == 0


async def test_who_waits_is_sent_once_an_operator_closes_the_circuit(system: System) -> None:
    """BR-09 A request that waits for a model's restart goes to the one let in again."""
    never = candidate("b", loading(1000, script=["B"]))
    ref = await spawn_router(system, candidate("a", scripted("A")), never)
    await ref.ask(ForceBreaker("a", "open"))
    waiting = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    await ref.ask(ForceBreaker("a", None))
    assert (await waiting).text == "A"
    assert now() == 1


async def test_a_stream_that_fails_half_way_is_one_failure(system: System) -> None:
    """BR-10 After two of them it is open, and not before."""
    script: list[Answer] = ["x", BROKEN, "x", BROKEN]
    ref = await spawn_router(system, candidate("a", scripted(*script)), breaker=TWO)
    for expected in ("closed", "open"):
        async with ref.stream(HELLO) as chunks:
            with pytest.raises(GenerationFailed):
                [chunk async for chunk in chunks]
        assert await circuit_of(ref, "a") == expected


async def test_a_stream_whose_reader_left_counts_as_none(system: System) -> None:
    """BR-10 Nor does it as a probe: its place is free, and the next one closes the circuit."""
    script: list[Answer] = ["x", asyncio.Event(), BROKEN, "x", asyncio.Event(), "x", "END"]
    ref = await spawn_router(system, candidate("a", scripted(*script)), breaker=ONE, **ONCE)
    for expected in ("closed", "half_open"):
        async with ref.stream(HELLO) as chunks:
            assert (await anext(chunks)).text == "x"
        info = await info_of(ref, "a")
        assert (info.circuit, info.in_flight) == (expected, 0)
        if expected == "closed":
            with pytest.raises(GenerationFailed):
                await ref.ask(HELLO)
            await asyncio.sleep(60)
    async with ref.stream(HELLO) as chunks:
        assert [chunk.text async for chunk in chunks] == ["x", ""]
    assert await circuit_of(ref, "a") == "closed"


@pytest.mark.parametrize(
    "error",
    [
        GenerationFailed("crashed"),
        WorkerLost("gone", details={"begun": True}),
        WorkerLost("gone", details={"begun": False}),
        RuntimeError("a bug"),
    ],
    ids=["failed", "lost-in-work", "lost-while-waiting", "bug"],
)
async def test_a_crash_counts_once_however_many_requests_there_were(
    system: System, error: Exception
) -> None:
    """One model died: that is one failure, not five. The second death is the second."""
    crash = asyncio.Event()
    a = candidate("a", scripted(crash, crash, crash, crash, crash, error))
    options = {**ONCE, "poison": Poison(workers_lost=99), "breaker": TWO}
    ref = await spawn_router(system, a, backoff=Backoff(base=1, jitter=False), **options)
    asked = [asyncio.create_task(ref.ask(HELLO)) for _ in range(5)]
    await asyncio.sleep(1)
    crash.set()
    await asyncio.wait(asked)
    assert {type(task.exception()) for task in asked} <= {GenerationFailed, WorkerLost}
    assert await circuit_of(ref, "a") == "closed"
    await asyncio.sleep(5)
    with pytest.raises(InferenceError):
        await ref.ask(HELLO)
    await asyncio.sleep(1)
    assert await circuit_of(ref, "a") == "open"


async def test_failures_that_are_no_crash_count_each(system: System) -> None:
    """A model that fails at each request and lives has failed as often."""
    a = candidate("a", scripted(BROKEN))
    ref = await spawn_router(system, a, breaker=TWO, **ONCE)
    await asyncio.gather(*(ref.ask(HELLO) for _ in range(2)), return_exceptions=True)
    assert await circuit_of(ref, "a") == "open"


async def test_a_model_that_dies_idle_has_failed(system: System) -> None:
    """No request is there to tell of it. It counts all the same, also after one that was."""

    class Mortal(Scripted):
        async def on_start(self) -> None:
            if self.context.incarnation > 1:
                self.context.call_after(1, lambda: self.context.crash(WorkerLost("gone")))

    a = candidate("a", lambda: Mortal([GenerationFailed("crashed")], []))
    ref = await spawn_router(system, a, breaker=TWO, backoff=Backoff(base=0), **ONCE)
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    for expected in ("closed", "open"):
        assert await circuit_of(ref, "a") == expected
        await asyncio.sleep(1.1)


@pytest.mark.parametrize("fails_in_start", [True, False], ids=["in on_start", "while loading"])
async def test_a_model_that_can_not_load_opens_its_circuit(
    system: System, fails_in_start: bool
) -> None:
    """WK-07 Its requests wait for it no longer; the other one answers all the time."""
    error = ModelLoadingFailed("no such file")

    class Failing(Loading):
        async def on_start(self) -> None:
            await super().on_start()
            if self.context.incarnation > 1:
                self.context.cancel_timers()
                self.context.call_after(0.5, lambda: self.context.crash(error))

    loads: list[float | Exception] = [0.5, error] if fails_in_start else [0.5]
    ref = await spawn_router(
        system,
        candidate("a", lambda: Failing(loads, [WorkerLost("gone")])),
        candidate("b", scripted("B")),
        breaker=Breaker(consecutive_failures=3, failure_rate=None),
        backoff=Backoff(base=1, factor=1, jitter=False),
    )
    await asyncio.sleep(1)
    assert (await ref.ask(HELLO)).model_used == "b"
    for _ in range(3):
        assert (await ref.ask(HELLO)).model_used == "b"
        await asyncio.sleep(1.6)
    assert await circuit_of(ref, "a") == "open"
