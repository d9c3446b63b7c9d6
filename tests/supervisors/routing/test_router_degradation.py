"""Under load a request gets less, and is told so; one that fails is tried once with half."""

from __future__ import annotations

import pytest

from failsoft.actors import Actor, Ref, System, handles
from failsoft.messages import (
    ChatMessage,
    GenerateText,
    GenerationFailed,
    InvalidInput,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    Request,
    WorkerLost,
)
from failsoft.messages.events import DegradationChanged, Event, RequestFinished
from failsoft.supervisors import Budget, Degradation, ForceDegradation, LoadActor, candidate

from .crowd_actors import Log, asking, timed
from .router_actors import BROKEN, circuit_of, of_kind, spawn_router

pytestmark = pytest.mark.anyio

ASKED = GenerateText("hello", max_tokens=100)
ALWAYS = 0.5


class Load:
    """Be a sensor that a test sets."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self) -> float:
        return self.share


async def under(system: System, share: float) -> Ref:
    """Have the system be under that load; give the load actor's ref."""
    return await system.spawn(lambda: LoadActor(sensors={"cpu": Load(share)}), "load")


@pytest.mark.parametrize(
    ("share", "level", "tokens"),
    [(0.7, "full", 100), (0.8, "reduced", 70), (0.95, "minimal", 40)],
)
async def test_the_candidate_sees_fewer_tokens_and_the_reply_says_so(
    system: System, events: list[Event], share: float, level: str, tokens: int
) -> None:
    """DG-01 DG-02 The level is the load's, and the warning is in words."""
    await under(system, share)
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 0.1)))
    reply = await ref.ask(ASKED)
    assert (log.max_tokens, reply.degradation_level) == ([tokens], level)
    if level == "full":
        assert reply.warning is None
    else:
        assert f"at most {tokens} tokens instead of 100" in (reply.warning or "")
    assert [each.degradation_level for each in of_kind(events, RequestFinished)] == [level]


async def test_a_level_follows_the_sensor_while_requests_come(
    system: System, events: list[Event]
) -> None:
    """DG-01 Each request has the level of when it arrived, also where it waited since."""
    load, log = Load(0.5), Log()
    await system.spawn(lambda: LoadActor(sensors={"cpu": load}), "load")
    ref = await spawn_router(system, candidate("a", timed(log, 5)))
    first = await asking(ref, "first")
    load.share = 0.99
    await first
    second = await ref.ask(GenerateText("second", max_tokens=10))
    load.share = 0.0
    third = await ref.ask(GenerateText("third", max_tokens=10))
    fourth = await ref.ask(GenerateText("fourth", max_tokens=10))
    levels = [(await first).degradation_level, second.degradation_level]
    levels += [third.degradation_level, fourth.degradation_level]
    assert levels == ["full", "minimal", "minimal", "full"]
    assert log.max_tokens == [256, 4, 4, 10]
    changes = [(each.before, each.after) for each in of_kind(events, DegradationChanged)]
    assert changes == [("full", "minimal"), ("minimal", "full")]


async def test_what_can_not_be_cut_has_no_warning(system: System) -> None:
    """DG-02 One token stays one."""
    await under(system, 0.99)
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 0.1)))
    reply = await ref.ask(GenerateText("hello", max_tokens=1))
    assert (log.max_tokens, reply.degradation_level, reply.warning) == ([1], "minimal", None)


async def test_of_a_stream_the_last_chunk_alone_has_the_warning(system: System) -> None:
    """DG-02 All of them tell the level."""
    await under(system, 0.8)
    ref = await spawn_router(system, candidate("a", timed(Log(), 0.1)))
    async with ref.stream(ASKED) as chunks:
        got = [chunk async for chunk in chunks]
    assert [chunk.degradation_level for chunk in got] == ["reduced", "reduced"]
    assert [chunk.warning is not None for chunk in got] == [False, True]
    assert "at most 70 tokens" in (got[-1].warning or "")


async def test_an_operator_holds_a_level(system: System, events: list[Event]) -> None:
    """DG-01 Whatever the load is, until it is let go."""
    load = await under(system, 0.1)
    ref = await spawn_router(system, candidate("a", timed(Log(), 0.1)))
    await load.ask(ForceDegradation("minimal"))
    assert (await ref.ask(ASKED)).degradation_level == "minimal"
    with pytest.raises(InvalidInput):
        await load.ask(ForceDegradation("little"))
    await load.ask(ForceDegradation(None))
    assert (await ref.ask(ASKED)).degradation_level == "full"
    assert [each.forced for each in of_kind(events, DegradationChanged)] == [True, False]


async def test_without_a_load_actor_all_is_full(system: System) -> None:
    """DG-01 And with one that has ended."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 0.1)))
    assert (await ref.ask(ASKED)).degradation_level == "full"
    load = await under(system, 0.99)
    assert (await ref.ask(ASKED)).degradation_level == "minimal"
    await system.stop(load)
    assert (await ref.ask(ASKED)).degradation_level == "full"
    assert log.max_tokens == [100, 40, 100]


async def test_a_router_may_be_told_never_to_cut(system: System) -> None:
    """DG-02 ``degradation=None``: neither under load nor after a failure."""
    await under(system, 0.99)
    log = Log()
    ref = await spawn_router(
        system, candidate("a", timed(log, BROKEN)), degradation=None, retries=0
    )
    with pytest.raises(GenerationFailed):
        await ref.ask(ASKED)
    assert log.max_tokens == [100]


# -- with half


@pytest.mark.parametrize("share", [ALWAYS, 0.8], ids=["full", "reduced"])
async def test_a_request_that_fails_everywhere_is_tried_once_with_half(
    system: System, share: float
) -> None:
    """DG-03 With half of what it was sent with, and the reply says so."""
    await under(system, share)
    first, second = Log(), Log()
    ref = await spawn_router(
        system,
        candidate("a", timed(first, BROKEN, 0.1)),
        candidate("b", timed(second, BROKEN)),
        retries=0,
    )
    reply = await ref.ask(ASKED)
    whole = 100 if share == ALWAYS else 70
    assert (first.max_tokens, second.max_tokens) == ([whole, whole // 2], [whole])
    assert (reply.model_used, reply.attempts) == ("a", 3)
    assert f"at most {whole // 2} tokens instead of 100" in (reply.warning or "")
    assert "failed" in (reply.warning or "")


async def test_out_of_memory_is_tried_with_half_without_retries(system: System) -> None:
    """DG-03 WK-08 Time doesn't mend it, less does; the model that ran out is restarted first."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, OutOfMemory("full"), 0.1)))
    reply = await ref.ask(ASKED)
    assert (log.max_tokens, reply.attempts) == ([100, 50], 2)
    assert "at most 50 tokens instead of 100" in (reply.warning or "")


async def test_half_is_tried_once_only(system: System) -> None:
    """DG-03 The second failure is the answer."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, BROKEN)), retries=0)
    with pytest.raises(GenerationFailed) as failed:
        await ref.ask(ASKED)
    assert (log.max_tokens, failed.value.details["attempts"]) == ([100, 50], 2)


async def test_at_minimal_nothing_is_halved(system: System) -> None:
    """DG-03 There is little enough to it."""
    await under(system, 0.99)
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, BROKEN)), retries=0)
    with pytest.raises(GenerationFailed):
        await ref.ask(ASKED)
    assert log.max_tokens == [40]


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput("no"),
        ModelOverloaded("busy"),
        PoisonedRequest("no"),
        WorkerLost("gone", details={"begun": False}),
    ],
    ids=lambda error: error.kind,
)
async def test_what_less_would_not_mend_is_not_halved(system: System, error: Exception) -> None:
    """DG-03 A caller's fault, an overload, poison and a lost worker."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, error)), retries=0)
    with pytest.raises(type(error)):
        await ref.ask(ASKED)
    assert log.max_tokens == [100]


async def test_a_try_with_half_costs_a_token(system: System) -> None:
    """DG-03 RY-03 Without one, the failure is the answer."""
    log = Log()
    budget = Budget(ratio=0, most=1, per_second=0)
    ref = await spawn_router(system, candidate("a", timed(log, BROKEN)), retries=0, budget=budget)
    for _ in range(2):
        with pytest.raises(GenerationFailed):
            await ref.ask(ASKED)
    assert log.max_tokens == [100, 50, 100]


async def test_a_stream_that_has_sent_nothing_is_tried_with_half(system: System) -> None:
    """DG-03 FB-06 Its last chunk says so."""
    ref = await spawn_router(system, candidate("a", timed(Log(), BROKEN, 0.1)), retries=0)
    async with ref.stream(ASKED) as chunks:
        got = [chunk async for chunk in chunks]
    assert "at most 50 tokens instead of 100" in (got[-1].warning or "")
    assert {chunk.attempts for chunk in got} == {2}


async def test_the_policy_may_leave_out_the_half(system: System) -> None:
    """DG-03 ``retry_with_half=False``."""
    log = Log()
    policy = Degradation(retry_with_half=False)
    ref = await spawn_router(
        system, candidate("a", timed(log, BROKEN)), retries=0, degradation=policy
    )
    with pytest.raises(GenerationFailed):
        await ref.ask(ASKED)
    assert log.max_tokens == [100]


async def test_a_chat_of_one_token_has_no_half(system: System) -> None:
    """DG-03 It fails as it is."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, BROKEN)), retries=0)
    with pytest.raises(GenerationFailed):
        await ref.ask(GenerateText((ChatMessage("user", "hello"),), max_tokens=1))
    assert log.max_tokens == [1]


class Count(Request[int], frozen=True):
    """A request that has neither tokens nor steps."""

    n: int


class Counter(Actor):
    @handles(Count)
    def count(self, request: Count) -> int:
        if request.n < 0:
            raise GenerationFailed("less than nothing").as_answer()
        return request.n


async def test_a_request_without_tokens_is_as_it_is(system: System) -> None:
    """DG-02 DG-03 Under load as well, and where it fails."""
    await under(system, 0.8)
    ref = await spawn_router(system, candidate("a", Counter), requests=(Count,), retries=0)
    assert await ref.ask(Count(3)) == 3
    with pytest.raises(GenerationFailed):
        await ref.ask(Count(-1))
    assert await circuit_of(ref, "a") == "closed"
