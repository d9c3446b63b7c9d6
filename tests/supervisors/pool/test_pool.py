"""Pools: equal replicas of a model behind one name."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable

import pytest
from tests.supervisors.routing.crowd_actors import (
    Log,
    Timed,
    asking,
    fixed,
    settled,
    timed,
)
from tests.supervisors.routing.router_actors import BROKEN, HELLO, loading, of_kind, scripted

from failsoft.actors import Actor, ExitReason, Ref, System, handles
from failsoft.gpu.scripted import scripted as scripted_worker
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InferenceTimeout,
    InvalidInput,
    ModelOverloaded,
    TextReply,
    Usage,
    WorkerLost,
)
from failsoft.messages.events import BreakerChanged, Event, FellBack, RequestFinished
from failsoft.supervisors import (
    NO_WAIT,
    Backoff,
    Breaker,
    DrainCandidate,
    ForceBreaker,
    ResetBreaker,
    TerminateChild,
    WhichCandidates,
    candidate,
    router,
)
from failsoft.supervisors.pool import Pool, Recipe, pool
from failsoft.supervisors.pool.replica import Replica

pytestmark = pytest.mark.anyio


def each(*makers: Callable[[], Actor]) -> Callable[[], Actor]:
    """Give what makes the replicas one after the other, each by its own maker, and round again."""
    makers_in_turn = itertools.cycle(makers)
    return lambda: next(makers_in_turn)()


async def spawn_pool(
    system: System, start: Callable[[], Actor], replicas: int = 2, **options: object
) -> Ref:
    recipe = Recipe(start, replicas)
    ref = await system.spawn(lambda: Pool(recipe, **options), "pool")  # type: ignore[arg-type]
    await settled()
    return ref


def one_by_one(log: Log) -> Callable[[], Actor]:
    """Give what makes a replica that has all but one request wait in its mailbox."""

    class OneByOne(Timed):
        max_interleaved = 1

    return lambda: OneByOne(log, lambda _log: 5)


async def ready(ref: Ref) -> dict[str, bool]:
    return {info.id: info.is_ready for info in await ref.ask(WhichCandidates())}


async def test_each_replica_gets_its_share(system: System) -> None:
    logs = [Log() for _ in range(4)]
    ref = await spawn_pool(system, each(*(timed(log, 10) for log in logs)), replicas=4)
    tasks = [await asking(ref, str(number)) for number in range(40)]
    await asyncio.gather(*tasks)
    assert max(len(log.prompts) for log in logs) <= 12


async def test_a_replica_that_loads_gets_nothing(system: System) -> None:
    slow = Log()
    ref = await spawn_pool(
        system, each(loading(100, script=["never"]), scripted("quick"), timed(slow, 1)), replicas=2
    )
    assert await ready(ref) == {"1": False, "2": True}
    assert system.tree()[0].shows["answers_with"] == "1 of 2 replicas"
    assert {(await ref.ask(HELLO)).text for _ in range(10)} == {"quick"}


async def test_a_pool_is_ready_with_its_first_replica(system: System) -> None:
    ref = await spawn_pool(
        system, each(loading(5, script=["A"]), loading(2, script=["B"])), replicas=2
    )
    with pytest.raises(ModelOverloaded, match="No replica of this model can take a request"):
        await ref.ask(HELLO)
    assert not ref.address.is_ready  # type: ignore[attr-defined]
    await asyncio.sleep(2)
    assert ref.address.is_ready  # type: ignore[attr-defined]
    assert (await ref.ask(HELLO)).text == "B"


async def test_a_replica_that_comes_to_be_ready_has_itself_looked_at_alone(system: System) -> None:
    """To look at all of them each time would make a large pool's start grow with their square."""
    looked_at: list[str] = []

    class Watched(Pool):
        def _look_at(self, replica: Replica) -> None:
            looked_at.append(replica.id)
            super()._look_at(replica)

    await system.spawn(lambda: Watched(Recipe(scripted("A"), 20)), "pool")
    await settled()
    assert sorted(map(int, looked_at)) == list(range(1, 21))


async def test_replicas_are_stopped_side_by_side(system: System) -> None:
    """The slowest is what it takes: none needs another, and there may be hundreds of them."""

    class SlowToStop(Actor):
        async def on_stop(self, reason: ExitReason) -> None:
            await asyncio.sleep(3)

    ref = await spawn_pool(system, SlowToStop, 4)
    began = system.clock.now()
    await system.stop(ref)
    assert system.clock.now() - began == pytest.approx(3)


async def test_what_a_lost_replica_had_not_begun_goes_to_another(system: System) -> None:
    """Its worker was lost over somebody else's request."""
    innocent = WorkerLost("gone", details={"begun": False}).as_answer()
    ref = await spawn_pool(system, each(scripted(innocent), scripted(innocent)), replicas=2)
    with pytest.raises(WorkerLost):
        await ref.ask(HELLO)
    other = await system.spawn(
        lambda: Pool(Recipe(each(scripted(innocent), scripted("B")))), "other"
    )
    await settled()
    assert {(await other.ask(HELLO)).text for _ in range(8)} == {"B"}


async def test_what_was_in_work_then_is_not_tried_again_here(system: System) -> None:
    """The pool's router has the count of lost workers."""
    seen: list[str] = []
    guilty = WorkerLost("gone", details={"begun": True}).as_answer()
    ref = await spawn_pool(
        system, each(scripted(guilty, seen=seen), scripted(guilty, seen=seen)), replicas=2
    )
    with pytest.raises(WorkerLost):
        await ref.ask(HELLO)
    assert len(seen) == 1


async def test_what_one_replica_refuses_another_takes(system: System) -> None:
    full = ModelOverloaded("full").as_answer()
    ref = await spawn_pool(system, each(scripted(full), scripted("B")), replicas=2)
    assert {(await ref.ask(HELLO)).text for _ in range(8)} == {"B"}


async def test_a_models_own_failure_is_the_answer(system: System) -> None:
    seen: list[str] = []
    ref = await spawn_pool(
        system, each(scripted(BROKEN, seen=seen), scripted(BROKEN, seen=seen)), replicas=2
    )
    with pytest.raises(GenerationFailed):
        await ref.ask(HELLO)
    assert len(seen) == 1


async def test_what_a_crashed_replica_has_in_its_mailbox_goes_to_another(system: System) -> None:
    """There it would wait for the restart."""
    logs = [Log(), Log()]
    start = each(one_by_one(logs[0]), one_by_one(logs[1]))
    ref = await spawn_pool(system, start, replicas=2)
    tasks = [await asking(ref, str(number)) for number in range(4)]
    begun = len(logs[0].prompts)
    system.ref("pool/1").address.crash(RuntimeError("crash"))  # type: ignore[attr-defined]
    answers = await asyncio.gather(*tasks)
    assert sorted(answer.text for answer in answers) == ["0", "1", "2", "3"]
    assert (begun, len(logs[1].prompts)) == (1, 4)


async def test_a_replica_that_fails_quickly_is_left_alone(
    system: System, events: list[Event]
) -> None:
    """Else, having the least to do, it would get the most."""
    seen: list[str] = []
    ref = await spawn_pool(
        system,
        each(scripted(BROKEN, seen=seen), scripted("B")),
        replicas=2,
        breaker=Breaker(consecutive_failures=3, open_seconds=1000, longest_open=1000),
    )
    answers = await asyncio.gather(*(ref.ask(HELLO) for _ in range(50)), return_exceptions=True)
    assert len([answer for answer in answers if isinstance(answer, Exception)]) == len(seen)
    for _ in range(20):
        assert (await ref.ask(HELLO)).text == "B"
    assert [change.after for change in of_kind(events, BreakerChanged)] == ["open"]


async def test_a_drained_replica_gets_no_more(system: System) -> None:
    logs = [Log(), Log()]
    ref = await spawn_pool(system, each(*(timed(log, 5) for log in logs)), replicas=2)
    tasks = [await asking(ref, str(number)) for number in range(4)]
    drain = asyncio.ensure_future(ref.ask(DrainCandidate("1")))
    await settled()
    assert not drain.done()
    had = len(logs[0].prompts)
    tasks += [await asking(ref, f"later {number}") for number in range(4)]
    await drain
    assert len(logs[0].prompts) == had
    await asyncio.gather(*tasks)


async def test_a_replicas_circuit_can_be_held_by_an_operator(system: System) -> None:
    ref = await spawn_pool(system, each(scripted("A"), scripted("B")), replicas=2)
    await ref.ask(ForceBreaker("1", "open"))
    assert {(await ref.ask(HELLO)).text for _ in range(8)} == {"B"}
    await ref.ask(ForceBreaker("2", "open"))
    with pytest.raises(ModelOverloaded) as refused:
        await ref.ask(HELLO)
    assert refused.value.details["retry_after"] > 0
    await ref.ask(ResetBreaker("1"))
    assert (await ref.ask(HELLO)).text == "A"


async def test_a_replica_that_is_stopped_is_gone(system: System) -> None:
    ref = await spawn_pool(system, each(scripted("A"), scripted("B")), replicas=2)
    await ref.ask(TerminateChild("1"))
    assert {(await ref.ask(HELLO)).text for _ in range(8)} == {"B"}


async def test_a_caller_who_leaves_has_the_replica_stop(system: System) -> None:
    logs = [Log(), Log()]
    ref = await spawn_pool(system, each(*(timed(log, 100) for log in logs)), replicas=2)
    task = await asking(ref, "unwanted")
    task.cancel()
    await settled()
    assert logs[0].stopped + logs[1].stopped == ["unwanted"]
    assert [info.in_flight for info in await ref.ask(WhichCandidates())] == [0, 0]


async def test_a_stream_goes_through_and_ends(system: System) -> None:
    ref = await spawn_pool(
        system, each(scripted("a", "b", "END"), scripted("a", "b", "END")), replicas=2
    )
    async with ref.stream(HELLO) as chunks:
        assert "".join([chunk.text async for chunk in chunks]) == "ab"


async def test_a_stream_that_has_begun_is_not_begun_again(system: System) -> None:
    seen: list[str] = []
    lost = WorkerLost("gone", details={"begun": False}).as_answer()
    ref = await spawn_pool(
        system, each(*(scripted("a", lost, seen=seen) for _ in range(2))), replicas=2
    )
    async with ref.stream(HELLO) as chunks:
        assert (await anext(chunks)).text == "a"
        with pytest.raises(WorkerLost):
            await anext(chunks)
    assert len(seen) == 1


async def test_a_pool_without_replicas_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one replica"):
        Recipe(scripted("A"), replicas=0)


# -- behind a router


async def routed(
    system: System, start: Callable[[], Actor], replicas: int = 2, **options: object
) -> Ref:
    made = functools.partial(Pool, Recipe(start, replicas), backoff=NO_WAIT)
    spec = router(
        "text",
        candidate("primary", made, is_pool=True),
        candidate("understudy", scripted("stand-in")),
        **options,
    )
    ref = await system.spawn(spec.start, "text")
    await settled()
    return ref


async def test_one_lost_worker_is_no_reason_for_a_fallback(
    system: System, events: list[Event]
) -> None:
    """WK-10 The second replica gets what the first one was lost over."""
    guilty = WorkerLost("gone", details={"begun": True, "worker": 1}).as_answer()
    ref = await routed(system, scripted(guilty, "well"))  # one script for both
    reply = await ref.ask(HELLO)
    assert (reply.text, reply.model_used, reply.was_fallback) == ("well", "primary", False)
    assert not of_kind(events, FellBack)
    assert len(of_kind(events, RequestFinished)) == 1


async def test_a_prompt_that_takes_down_two_replicas_is_refused(system: System) -> None:
    """WK-10 By the router's count, which holds for the whole pool."""
    guilty = [
        WorkerLost("gone", details={"begun": True, "worker": number}).as_answer()
        for number in (1, 2, 3)
    ]
    ref = await routed(system, each(*(scripted(error) for error in guilty)), replicas=3)
    with pytest.raises(Exception, match="in work when workers were lost") as refused:
        await ref.ask(HELLO)
    assert refused.value.kind == "poisoned_request"  # type: ignore[attr-defined]


async def test_a_pool_with_no_replica_left_is_fallen_back_from(system: System) -> None:
    ref = await routed(system, loading(100, script=["never"]))
    reply = await ref.ask(HELLO)
    assert (reply.text, reply.was_fallback) == ("stand-in", True)


async def test_what_all_replicas_lose_goes_to_the_next_model(system: System) -> None:
    """It was in work nowhere, so no count of lost workers ends it."""
    innocent = WorkerLost("gone", details={"begun": False}).as_answer()
    seen: list[str] = []
    ref = await routed(system, scripted(innocent, seen=seen))
    async with asyncio.timeout(100):
        assert (await ref.ask(HELLO, timeout=100)).text == "stand-in"
    assert len(seen) == 2


async def test_a_replica_that_is_always_late_is_left_alone(
    system: System, events: list[Event]
) -> None:
    """The router has the request's timer, and calls it off."""
    breaker = Breaker(consecutive_failures=2, open_seconds=1000, longest_open=1000)
    make = functools.partial(Pool, Recipe(timed(Log(), 1000), 1), breaker=breaker)
    ref = await system.spawn(
        router("text", candidate("primary", make, is_pool=True, breaker=Breaker(10))).start, "text"
    )
    await settled()
    for _ in range(2):
        with pytest.raises(InferenceTimeout):
            await ref.ask(HELLO, timeout=5)
    changes = [event for event in of_kind(events, BreakerChanged) if event.path == "text/primary"]
    assert [(change.model, change.after) for change in changes] == [("1", "open")]


async def test_a_deadline_that_leaves_too_little_time_is_no_failure(
    system: System, events: list[Event]
) -> None:
    """The replica says itself that the time was over, long before it usually answers."""
    log, late = Log(), InferenceTimeout.after(0.1)
    start = timed(log, 5, late, late, late)
    ref = await spawn_pool(system, start, 1, breaker=Breaker(consecutive_failures=2))
    await ref.ask(HELLO)
    for _ in range(3):
        with pytest.raises(InferenceTimeout):
            await ref.ask(HELLO)
    assert not of_kind(events, BreakerChanged)


class OnlyWhole(Actor):
    """Answer, and not in chunks."""

    @handles(GenerateText)
    def _ask(self, _request: GenerateText) -> TextReply:
        return TextReply("whole", "stop", Usage(1, 1))


async def test_what_replicas_have_no_handler_for_is_no_failure(
    system: System, events: list[Event]
) -> None:
    ref = await spawn_pool(system, OnlyWhole, breaker=Breaker(consecutive_failures=1))
    for _ in range(3):
        with pytest.raises(InvalidInput):
            async with ref.stream(HELLO) as chunks:
                await anext(chunks)
    assert not of_kind(events, BreakerChanged)
    assert (await ref.ask(HELLO)).text == "whole"


async def test_a_drained_replica_that_crashes_is_drained(system: System) -> None:
    """What it had not begun is refused, since there is no other."""
    ref = await spawn_pool(system, one_by_one(Log()), 1, backoff=Backoff(base=1000))
    tasks = [await asking(ref, str(number)) for number in range(2)]
    drain = asyncio.ensure_future(ref.ask(DrainCandidate("1")))
    await settled()
    assert not drain.done()
    system.ref("pool/1").address.crash(RuntimeError("crash"))  # type: ignore[attr-defined]
    await settled()
    assert drain.done()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_replica_that_fails_quickly_costs_its_pool_no_circuit(
    system: System, events: list[Event]
) -> None:
    """The other one is well, however many fail before it has answered once."""
    ref = await routed(system, each(scripted(BROKEN), timed(Log(), 5)), admission=fixed(16))
    replies = await asyncio.gather(*(ref.ask(HELLO) for _ in range(16)))
    assert {reply.text for reply in replies} == {"hello", "stand-in"}
    opened = [(event.path, event.model) for event in of_kind(events, BreakerChanged)]
    assert opened == [("text/primary", "1")]


async def test_the_circuits_of_replicas_are_as_they_are_described() -> None:
    spec = pool("model", scripted_worker(), breaker=None)
    assert spec.breaker is None
    assert spec.start()._breaker is None  # type: ignore[attr-defined]
