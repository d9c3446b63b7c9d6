"""The line in front of a model: who is sent, who waits, who is refused, and who comes next."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from failsoft.actors import RemoteModel, RemoteSpec, System, handles
from failsoft.gpu import text_worker
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InferenceTimeout,
    ModelOverloaded,
    TextReply,
    Usage,
)
from failsoft.messages.events import Event, RequestFinished, RequestShed
from failsoft.supervisors import Admission, Backoff, Limit, candidate, model, remote

from .crowd_actors import Log, Timed, asking, fixed, settled, timed
from .router_actors import HELLO, info_of, node_of, of_kind, router_of, spawn_router

pytestmark = pytest.mark.anyio

BROKEN_FOR_GOOD = GenerationFailed("broken")


async def test_a_model_that_gains_by_many_at_a_time_gets_so_many_from_the_start(
    system: System,
) -> None:
    """Else the first ones of a batch of 16 would be worked on alone."""
    at_once = {"few": 4, "many": 16, "too many": 1000, "unknown": None}
    candidates = [candidate(id, timed(Log(), 5), at_once=count) for id, count in at_once.items()]
    fixed_one = candidate("fixed", timed(Log(), 5), at_once=16, admission=fixed(2))
    ref = await spawn_router(system, *candidates, fixed_one)
    limits = {id: (await info_of(ref, id)).limit for id in (*at_once, "fixed")}
    assert limits == {"few": 8, "many": 16, "too many": 256, "unknown": 8, "fixed": 2}


def test_a_text_worker_says_how_many_texts_it_works_on_together() -> None:
    assert model("a", text_worker("failsoft:tiny-text")).at_once == 16
    assert model("a", text_worker("failsoft:tiny-text", max_batch=4)).at_once == 4
    assert model("a", text_worker("failsoft:tiny-text", max_batch=0)).at_once is None


def test_of_a_remote_model_as_much_is_asked_at_once_as_may_be() -> None:
    """Its limit begins there; what is said of the candidate counts all the same."""
    spec = RemoteSpec(base_url="http://there/v1", model="m", max_concurrent=40)
    assert remote("a", spec).at_once == 40
    assert remote("a", spec, at_once=4, least_time=2.0).at_once == 4
    assert isinstance(remote("a", spec).start(), RemoteModel)


async def test_at_the_queues_bound_the_next_is_refused_at_once_and_nobody_else_is(
    system: System, events: list[Event]
) -> None:
    """AD-01 It is told when to try again; those in line are answered in their turn."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 5)), admission=fixed(1, 2))
    tasks = [await asking(ref, prompt) for prompt in ("in work", "first", "second")]
    began = system.clock.now()
    with pytest.raises(ModelOverloaded) as refused:
        await ref.ask(GenerateText("too much"))
    assert system.clock.now() == began
    assert refused.value.details["tried_models"] == {"a": "queue_full"}
    assert refused.value.details["retry_after"] >= 1
    assert "shed" not in refused.value.details
    assert (await info_of(ref, "a")).waiting == 2
    assert [reply.text for reply in await asyncio.gather(*tasks)] == ["in work", "first", "second"]
    assert log.prompts == ["in work", "first", "second"]
    assert not of_kind(events, RequestShed)


async def test_the_retry_after_grows_with_the_queue(system: System) -> None:
    """AD-01 Once it is known how long an answer takes, it is when the queue will have gone by."""
    ref = await spawn_router(system, candidate("a", timed(Log(), 5)), admission=fixed(1, 3))
    assert (await ref.ask(HELLO)).model_used == "a"
    tasks = [await asking(ref, str(number)) for number in range(4)]
    with pytest.raises(ModelOverloaded) as refused:
        await ref.ask(HELLO)
    assert refused.value.details["retry_after"] == pytest.approx(20)
    await asyncio.gather(*tasks)


async def test_past_a_full_queue_a_request_falls_back(system: System) -> None:
    """FB-01 AD-01 The next candidate has room."""
    ref = await spawn_router(
        system,
        candidate("a", timed(Log(), 5), admission=fixed(1, 0)),
        candidate("b", timed(Log(), 1)),
    )
    first = await asking(ref, "first")
    second = await ref.ask(HELLO)
    assert (second.model_used, second.was_fallback, second.attempts) == ("b", True, 1)
    assert (await first).model_used == "a"


async def test_the_limit_follows_what_the_model_can_do(system: System) -> None:
    """AD-02 Of a model with four slots it falls to about four; with sixteen, it rises again."""
    slots = 4

    def seconds(log: Log) -> float:
        return max(1.0, log.running / slots)

    admission = Admission(limit=Limit(initial=32, most=64), margin=0)
    ref = await spawn_router(
        system, candidate("a", lambda: Timed(Log(), seconds)), admission=admission
    )

    async def load(for_seconds: float) -> int:
        end = system.clock.now() + for_seconds

        async def caller() -> None:
            while system.clock.now() < end:
                await ref.ask(HELLO, timeout=600)

        await asyncio.gather(*(caller() for _ in range(40)))
        return (await info_of(ref, "a")).limit

    fell = await load(400)
    assert 1 <= fell <= 10
    slots = 16
    rose = await load(400)
    assert max(10, fell) < rose <= 64


async def test_a_higher_priority_goes_first_and_a_low_one_is_not_starved(system: System) -> None:
    """AD-03 Ten seconds of waiting make up for one priority."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 4)), admission=fixed(1))
    tasks = [await asking(ref, "in work"), await asking(ref, "low")]
    for number in range(8):
        tasks.append(await asking(ref, f"high {number}", priority=1))
        await asyncio.sleep(4)
    await asyncio.gather(*tasks)
    assert log.prompts[:3] == ["in work", "high 0", "high 1"]
    assert log.prompts.index("low") in (3, 4)


async def test_tenants_take_turns(system: System) -> None:
    """AD-03 One that asks for much waits behind itself."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 1)), admission=fixed(1))
    tasks = [await asking(ref, "in work")]
    tasks += [await asking(ref, f"much {number}", tenant="much") for number in range(4)]
    tasks += [await asking(ref, f"little {number}", tenant="little") for number in range(2)]
    await asyncio.gather(*tasks)
    assert log.prompts[1:] == ["much 0", "little 0", "much 1", "little 1", "much 2", "much 3"]


async def test_a_full_queue_gives_up_its_lowest_for_a_higher_one(
    system: System, events: list[Event]
) -> None:
    """AD-01 AD-03 The one that is shed is told so at once, and so is all the world."""
    ref = await spawn_router(system, candidate("a", timed(Log(), 5)), admission=fixed(1, 2))
    tasks = [await asking(ref, "in work"), await asking(ref, "old"), await asking(ref, "new")]
    began = system.clock.now()
    high = await asking(ref, "high", priority=1)
    with pytest.raises(ModelOverloaded) as shed:
        await tasks[2]
    assert system.clock.now() == began
    assert shed.value.details["shed"] is True
    assert shed.value.details["retry_after"] >= 1
    assert shed.value.details["attempts"] == 0
    (told,) = of_kind(events, RequestShed)
    assert (told.model, told.priority) == ("a", 0)
    await settled()
    assert [event.outcome for event in of_kind(events, RequestFinished)] == ["model_overloaded"]
    replies = await asyncio.gather(*tasks[:2], high)
    assert [reply.text for reply in replies] == ["in work", "old", "high"]


async def test_a_shed_stream_ends_with_the_error(system: System) -> None:
    """AD-01 RT-18 Its reader waits in line as any other does."""
    ref = await spawn_router(system, candidate("a", timed(Log(), 5)), admission=fixed(1, 1))
    first = await asking(ref, "in work")
    async with ref.stream(GenerateText("low")) as chunks:
        reading = asyncio.ensure_future(anext(chunks))
        await settled()
        high = await asking(ref, "high", priority=1)
        with pytest.raises(ModelOverloaded) as shed:
            await reading
    assert shed.value.details["shed"] is True
    await asyncio.gather(first, high)


async def test_what_can_not_be_done_in_time_is_refused_at_once(system: System) -> None:
    """AD-04 The expected wait and the usual work are more than it has."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 5)), admission=fixed(1, margin=1.0))
    await ref.ask(HELLO)
    tasks = [await asking(ref, "in work"), await asking(ref, "in line")]
    began = system.clock.now()
    with pytest.raises(ModelOverloaded) as refused:
        await ref.ask(GenerateText("hopeless"), timeout=14)
    assert system.clock.now() == began
    assert refused.value.details["tried_models"] == {"a": "deadline"}
    assert refused.value.details["retry_after"] == pytest.approx(10)
    hopeful = await asking(ref, "hopeful", timeout=16)
    assert [reply.text for reply in await asyncio.gather(*tasks, hopeful)] == [
        "in work",
        "in line",
        "hopeful",
    ]
    assert "hopeless" not in log.prompts


async def test_one_whose_time_ran_out_in_line_is_not_sent(system: System) -> None:
    """AD-04 RT-06 FB-05 Nor where what is left is less than the model's least time."""
    log, other = Log(), Log()
    ref = await spawn_router(
        system,
        candidate("a", timed(log, 5), least_time=2.0, admission=fixed(1)),
        candidate("b", timed(other, 0.5), admission=fixed(1)),
        while_busy="wait",
    )
    first = await asking(ref, "in work")
    late, in_line = await asking(ref, "late", timeout=4), await asking(ref, "in line", timeout=6)
    assert (await info_of(ref, "a")).waiting == 2
    with pytest.raises(InferenceTimeout):
        await late
    assert (await in_line).model_used == "b"
    await first
    assert (log.prompts, other.prompts) == (["in work"], ["in line"])


@pytest.mark.parametrize("is_stream", [False, True], ids=["ask", "stream"])
async def test_a_caller_who_leaves_the_line_frees_a_place(system: System, is_stream: bool) -> None:
    """AD-01 RT-07 It is never sent, and the next one may wait in its stead."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 5)), admission=fixed(1, 1))
    first = await asking(ref, "in work")
    if is_stream:
        async with ref.stream(GenerateText("leaves")) as chunks:
            reading = asyncio.ensure_future(anext(chunks))
            await settled()
            assert (await info_of(ref, "a")).waiting == 1
            reading.cancel()
    else:
        leaving = await asking(ref, "leaves")
        assert (await info_of(ref, "a")).waiting == 1
        leaving.cancel()
    await settled()
    assert (await info_of(ref, "a")).waiting == 0
    last = await asking(ref, "last")
    await asyncio.gather(first, last)
    assert log.prompts == ["in work", "last"]


@pytest.mark.parametrize("is_stream", [False, True], ids=["ask", "stream"])
async def test_a_caller_who_leaves_mid_work_frees_the_slot_at_once(
    system: System, is_stream: bool
) -> None:
    """RT-07 RT-17 The model stops, and the next in line is sent."""
    log = Log()
    ref = await spawn_router(system, candidate("a", timed(log, 5)), admission=fixed(1))
    began = system.clock.now()
    chunks = ref.stream(GenerateText("leaves")) if is_stream else None

    async def leave() -> None:
        if chunks is not None:
            await anext(chunks)
        else:
            await ref.ask(GenerateText("leaves"))

    leaving = asyncio.create_task(leave())
    await settled()
    last = await asking(ref, "last")
    leaving.cancel()
    assert (await last).text == "last"
    assert system.clock.now() - began == 5
    assert log.stopped == ["leaves"]
    assert router_of(ref).inspect()["in_hand"] == 0


async def test_ten_times_the_load_for_a_minute_leaves_most_of_the_goodput(
    system: System,
) -> None:
    """AD-05 At least 80 % of the capacity is answered in time, and nothing grows."""
    slots, work, patience, minute = 8, 0.5, 3.0, 60.0
    log, random = Log(), Random(7)
    capacity = slots / work

    def seconds(log: Log) -> float:
        return max(1.0, log.running / slots) * random.lognormvariate(-0.03, 0.25) * work

    ref = await spawn_router(system, candidate("a", lambda: Timed(log, seconds)))
    in_time, most_in_hand, most_timers = 0, 0, 0
    callers: set[asyncio.Task[None]] = set()

    async def caller() -> None:
        nonlocal in_time
        try:
            await ref.ask(HELLO, timeout=patience)
        except (ModelOverloaded, InferenceTimeout):
            return
        in_time += 1

    while system.clock.now() < minute:
        callers.add(task := asyncio.ensure_future(caller()))
        task.add_done_callback(callers.discard)
        await asyncio.sleep(random.expovariate(10 * capacity))
        most_in_hand = max(most_in_hand, router_of(ref).inspect()["in_hand"])
        most_timers = max(most_timers, len(router_of(ref).context._timers or ()))
    await asyncio.gather(*callers)
    assert in_time >= 0.8 * capacity * minute
    info, node = await info_of(ref, "a"), node_of(system)
    assert most_in_hand <= 256 + info.limit * 4
    assert most_timers <= 4
    assert (info.in_flight, info.waiting, router_of(ref).inspect()["in_hand"]) == (0, 0, 0)
    assert (node.work_depth, log.running) == (0, 0)


class Serial(Timed):
    """Work on one request at a time; the others wait in the mailbox."""

    @handles(GenerateText, cancellable=True)
    async def _ask(self, request: GenerateText) -> TextReply:
        await self._work(self._log.begin(request))
        return TextReply(str(request.prompt), "stop", Usage(1, 2))


@pytest.mark.parametrize("count", [1, 2], ids=["alone", "two"])
async def test_what_a_model_has_not_begun_when_it_fails_is_taken_back(
    system: System, count: int
) -> None:
    """RT-11 FB-01 It doesn't wait in a dead model's mailbox: it goes to the next, or in line."""
    log = Log()
    script: list[float | Exception] = [BROKEN_FOR_GOOD, 1.0]

    def seconds(_log: Log) -> float | Exception:
        return script.pop(0) if len(script) > 1 else script[0]

    models = [candidate("a", lambda: Serial(log, seconds)), candidate("b", timed(Log(), 1))]
    ref = await spawn_router(
        system, *models[:count], backoff=Backoff(base=9, jitter=False), degradation=None
    )
    tasks = [await asking(ref, "breaks")]
    tasks += [asyncio.ensure_future(ref.ask(GenerateText(each), timeout=25)) for each in "xyz"]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    replies = [each for each in answers if isinstance(each, TextReply)]
    assert [reply.text for reply in replies[-3:]] == ["x", "y", "z"]
    assert {reply.attempts for reply in replies[-3:]} == {1}
    if count == 2:
        assert {reply.model_used for reply in replies} == {"b"}
        assert system.clock.now() == 1
    assert router_of(ref).inspect()["in_hand"] == 0
