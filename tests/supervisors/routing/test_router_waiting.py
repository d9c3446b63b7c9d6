"""Requests that wait: for a model that is being restarted, in what order, and until when."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import Ref, System, handles
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InferenceTimeout,
    ModelOverloaded,
    OutOfMemory,
    TextReply,
    WorkerLost,
)
from failsoft.supervisors import Admission, Backoff, Intensity, Limit, candidate

from .router_actors import (
    HELLO,
    Answer,
    Scripted,
    info_of,
    loading,
    now,
    scripted,
    spawn_router,
)

pytestmark = pytest.mark.anyio

LOST = WorkerLost("gone", details={"begun": False})
SOON = Backoff(base=1, factor=1, jitter=False)
ONE_AT_A_TIME = Admission(limit=Limit.fixed(1))


def say(prompt: str, priority: int = 0) -> GenerateText:
    return GenerateText(prompt, priority=priority)


async def crashed(system: System, *, while_restarting: str | float) -> Ref:
    """Give a router whose primary was ready 3 s after its start, and is down for 1 s now."""
    ref = await spawn_router(
        system,
        candidate("a", loading(3, script=[LOST, "A"])),
        candidate("b", scripted("B")),
        backoff=SOON,
        while_restarting=while_restarting,
    )
    await asyncio.sleep(10)
    assert (await ref.ask(HELLO)).model_used == "b"  # the one that was lost falls back
    await asyncio.sleep(0)
    return ref


@pytest.mark.parametrize(
    ("while_restarting", "within", "answers", "after"),
    [
        ("fallback", 60, "b", 0),
        ("wait", 60, "a", 4),
        ("wait", 3.9, "b", 0),
        (4.5, 60, "a", 4),
        (3.5, 60, "b", 0),
    ],
)
async def test_who_comes_while_the_primary_restarts(
    system: System, while_restarting: str | float, within: float, answers: str, after: float
) -> None:
    """FB-01 It falls back, or waits for as long as was said and the deadline allows."""
    ref = await crashed(system, while_restarting=while_restarting)
    reply = await ref.ask(HELLO, timeout=within)
    assert reply.model_used == answers
    assert now() == pytest.approx(10 + after)


async def test_a_primary_that_was_never_ready_is_not_waited_for(system: System) -> None:
    """FB-01 How long it takes isn't known, so there is nothing to hold the deadline against."""
    ref = await spawn_router(
        system,
        candidate("a", loading(3, script=["A"])),
        candidate("b", scripted("B")),
        while_restarting="wait",
    )
    assert (await ref.ask(HELLO)).model_used == "b"


async def test_one_that_is_unready_without_a_restart_is_not_waited_for(system: System) -> None:
    """FB-01 It says itself that work isn't welcome, and nobody knows for how long."""

    class Moody(Scripted):
        async def on_start(self) -> None:
            self.context.call_after(1, lambda: self.context.set_ready(False))

    ref = await spawn_router(
        system,
        candidate("a", lambda: Moody(["A"], [])),
        candidate("b", scripted("B")),
        while_restarting="wait",
    )
    await asyncio.sleep(2)
    assert (await ref.ask(HELLO, timeout=10)).model_used == "b"


async def test_who_waits_for_one_that_stays_unready_moves_on(system: System) -> None:
    """FB-01 It might have been about to end, and to be restarted; after a second it isn't."""
    held = asyncio.Event()

    class Moody(Scripted):
        async def on_start(self) -> None:
            self.context.call_after(5, lambda: self.context.set_ready(False))

    ref = await spawn_router(
        system,
        candidate("a", lambda: Moody([held, "A"], []), admission=ONE_AT_A_TIME),
        candidate("b", scripted("B")),
        while_busy="wait",
        while_restarting="wait",
    )
    in_hand = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    assert (await ref.ask(HELLO)).model_used == "b"
    assert now() == pytest.approx(6)
    held.set()
    assert (await in_hand).model_used == "a"


async def test_who_waits_is_not_sent_to_a_model_that_is_failing(system: System) -> None:
    """FB-01 It says that it isn't ready before it fails its requests, and is believed."""
    held = asyncio.Event()
    seen: list[str] = []

    class Failing(Scripted):
        @handles(GenerateText, interleave=True)
        async def _ask(self, request: GenerateText) -> TextReply:
            seen.append(str(request.prompt))
            await held.wait()
            self.context.set_ready(False)
            raise LOST

    ref = await spawn_router(
        system,
        candidate("a", lambda: Failing([], []), admission=ONE_AT_A_TIME),
        candidate("b", scripted("B")),
        while_busy="wait",
    )
    asked = [asyncio.create_task(ref.ask(say(prompt))) for prompt in ("1", "2")]
    await asyncio.sleep(1)
    assert (await info_of(ref, "a")).waiting == 1
    held.set()
    replies = [await task for task in asked]
    assert [(reply.model_used, reply.attempts) for reply in replies] == [("b", 2), ("b", 1)]
    await asyncio.sleep(10)
    assert seen == ["1"]


async def test_of_two_that_restart_the_one_expected_first_is_waited_for(system: System) -> None:
    """Their order doesn't count while neither can answer."""
    full = OutOfMemory("full")
    for n, (first, second) in enumerate(((2.0, 3.0), (3.0, 2.0))):
        ref = await spawn_router(
            system,
            candidate("a", loading(first, script=[full, "A"])),
            candidate("b", loading(second, script=[full, "B"])),
            backoff=SOON,
            degradation=None,
        )
        await asyncio.sleep(10)
        with pytest.raises(ModelOverloaded):
            await ref.ask(HELLO)
        await asyncio.sleep(0)
        asked = asyncio.create_task(ref.ask(HELLO))
        await asyncio.sleep(1)
        assert (await info_of(ref, "ab"[n])).waiting == 1
        assert (await asked).model_used == "ab"[n]
        await system.stop(ref)


async def test_the_time_to_ready_is_learned_from_loads(system: System) -> None:
    """What is shown is the wait for the start, and a load such as those before."""
    ref = await crashed(system, while_restarting="fallback")
    assert (await info_of(ref, "a")).ready_in == pytest.approx(4)
    await asyncio.sleep(3)
    assert (await info_of(ref, "a")).ready_in == pytest.approx(1)
    await asyncio.sleep(1.1)
    assert (await info_of(ref, "a")).ready_in is None


async def test_requests_wait_for_a_lone_candidate_that_restarts(system: System) -> None:
    """Nothing is refused that can be answered in time, and all are answered once it is ready."""
    a = candidate("a", loading(3, script=[LOST, "A"]))
    ref = await spawn_router(system, a, backoff=SOON, retries=0)
    await asyncio.sleep(10)
    with pytest.raises(WorkerLost):
        await ref.ask(HELLO)
    replies = await asyncio.gather(*(ref.ask(HELLO, timeout=5) for _ in range(20)))
    assert {reply.text for reply in replies} == {"A"}
    assert now() == pytest.approx(14)


async def test_a_slow_model_that_restarts_is_waited_for_too(system: System) -> None:
    """There is time for the load and for one usual answer: that is enough, with nobody ahead."""
    slow, slower = asyncio.Event(), asyncio.Event()
    script: list[Answer] = [slow, "A", LOST, slower, "A"]
    a = candidate("a", loading(1, script=script))
    ref = await spawn_router(system, a, backoff=SOON, retries=0)
    asyncio.get_running_loop().call_at(12, slow.set)
    asyncio.get_running_loop().call_at(24, slower.set)
    assert (await ref.ask(HELLO)).text == "A"
    with pytest.raises(WorkerLost):
        await ref.ask(HELLO)
    assert (await ref.ask(HELLO, timeout=15)).text == "A"


async def test_what_can_not_be_ready_in_time_is_refused_at_once(system: System) -> None:
    """The supervisor leaves it alone for a minute: nobody waits for half of one."""
    a = candidate("a", loading(3, script=[LOST, "A"]))
    ref = await spawn_router(
        system, a, intensity=Intensity(max_restarts=0), cool_down=60, retries=0
    )
    await asyncio.sleep(10)
    with pytest.raises(WorkerLost):
        await ref.ask(HELLO)
    await asyncio.sleep(10)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO, timeout=30)
    assert now() == 20
    assert caught.value.details["retry_after"] == pytest.approx(53)
    assert caught.value.details["tried_models"] == {"a": "not_ready"}
    assert (await ref.ask(HELLO, timeout=54)).text == "A"


async def test_who_waits_for_the_understudy_moves_to_the_primary_when_that_is_ready(
    system: System,
) -> None:
    """FB-04 AD-03 By its past loads the understudy would be first. They keep their order."""
    seen: list[str] = []
    full = OutOfMemory("full")
    ref = await spawn_router(
        system,
        candidate("a", loading(4, script=[full, "A"], seen=seen), admission=ONE_AT_A_TIME),
        candidate("b", loading(3, 1000, script=[full, "B"])),
        backoff=SOON,
        degradation=None,
    )
    await asyncio.sleep(10)
    with pytest.raises(ModelOverloaded):  # and both are restarted
        await ref.ask(HELLO)
    seen.clear()
    asked = []
    for prompt, priority in (("1", 0), ("2", 0), ("high", 5), ("3", 0)):
        await asyncio.sleep(0.1)
        asked.append(asyncio.create_task(ref.ask(say(prompt, priority), timeout=100)))
    await asyncio.sleep(1)
    assert (await info_of(ref, "b")).waiting == 4
    replies = await asyncio.gather(*asked)
    assert {reply.model_used for reply in replies} == {"a"}
    assert seen == ["high", "1", "2", "3"]
    assert now() == pytest.approx(15)


async def test_who_waits_is_refused_once_there_is_no_hope_left(system: System) -> None:
    """The load fails, and the supervisor leaves the model alone for longer than they have."""
    a = candidate("a", loading(3, GenerationFailed("no such file"), script=[LOST]))
    ref = await spawn_router(
        system,
        a,
        backoff=SOON,
        intensity=Intensity(max_restarts=1),
        cool_down=60,
        retries=0,
    )
    await asyncio.sleep(10)
    with pytest.raises(WorkerLost):
        await ref.ask(HELLO)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO, timeout=30)
    assert now() == 11
    assert caught.value.details["retry_after"] == pytest.approx(63)


async def test_those_who_wait_are_sent_in_order_of_arrival_and_priority_first(
    system: System,
) -> None:
    """AD-03 One at a time, once it is ready."""
    seen: list[str] = []
    ref = await spawn_router(
        system,
        candidate("a", loading(10, script=["A"], seen=seen), admission=ONE_AT_A_TIME),
        candidate("b", loading(1000, script=["B"])),
    )
    asked = []
    for prompt, priority in (("1", 0), ("2", 0), ("high", 5), ("3", 0), ("low", -5)):
        asked.append(asyncio.create_task(ref.ask(say(prompt, priority))))
        await asyncio.sleep(0.1)
    await asyncio.gather(*asked)
    assert seen == ["high", "1", "2", "3", "low"]


async def test_while_it_restarts_no_more_wait_than_the_queue_holds(system: System) -> None:
    """AD-01 The one too many is refused at once, those who wait are answered."""
    a = candidate("a", loading(5, script=["A"]), admission=Admission(queue_limit=3))
    ref = await spawn_router(system, a)
    asked = [asyncio.create_task(ref.ask(HELLO)) for _ in range(3)]
    await asyncio.sleep(1)
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO)
    assert now() == 1
    assert caught.value.details["tried_models"] == {"a": "queue_full"}
    assert caught.value.details["retry_after"] >= 1
    assert {(await task).text for task in asked} == {"A"}


async def test_a_waiting_request_whose_caller_leaves_frees_its_place(system: System) -> None:
    """Law 3 The next one gets it."""
    a = candidate("a", loading(5, script=["A"]), admission=Admission(queue_limit=1))
    ref = await spawn_router(system, a)
    leaving = asyncio.create_task(ref.ask(HELLO))
    await asyncio.sleep(1)
    leaving.cancel()
    await asyncio.wait([leaving])
    assert (await ref.ask(HELLO)).text == "A"


async def test_at_its_deadline_a_waiting_request_is_answered_and_not_sent(system: System) -> None:
    """RT-05 The model never sees it."""
    a = candidate("a", loading(5, script=[OutOfMemory("full"), "A"]))
    ref = await spawn_router(system, a)
    with pytest.raises(InferenceTimeout):
        await ref.ask(HELLO, timeout=4)
    await asyncio.sleep(5)
    with pytest.raises(OutOfMemory):  # the script's first, so nobody asked before
        await ref.ask(GenerateText("hello", max_tokens=1))


async def test_a_busy_model_is_passed_by_and_queued_for_only_where_all_are(system: System) -> None:
    """FB-01 The third request finds no room anywhere, and waits for the first."""
    held = asyncio.Event()
    ref = await spawn_router(
        system,
        candidate("a", scripted(held, "A"), admission=ONE_AT_A_TIME),
        candidate("b", scripted(held, "B"), admission=ONE_AT_A_TIME),
    )
    asked = [asyncio.create_task(ref.ask(say(prompt))) for prompt in "123"]
    await asyncio.sleep(1)
    shown = [await info_of(ref, id) for id in "ab"]
    assert [(info.in_flight, info.waiting) for info in shown] == [(1, 1), (1, 0)]
    held.set()
    replies = [await task for task in asked]
    assert [(reply.model_used, reply.was_fallback) for reply in replies] == [
        ("a", False),
        ("b", True),
        ("a", False),
    ]


async def test_those_who_are_to_wait_for_a_busy_model_do(system: System) -> None:
    """FB-01 As the route says; an idle understudy is for when the first is gone."""
    held = asyncio.Event()
    ref = await spawn_router(
        system,
        candidate("a", scripted(held, "A"), admission=ONE_AT_A_TIME),
        candidate("b", scripted("B")),
        while_busy="wait",
    )
    asked = [asyncio.create_task(ref.ask(say(prompt))) for prompt in "12"]
    await asyncio.sleep(1)
    assert (await info_of(ref, "a")).waiting == 1
    held.set()
    assert [(await task).model_used for task in asked] == ["a", "a"]
