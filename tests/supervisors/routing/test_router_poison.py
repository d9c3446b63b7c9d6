"""Requests that take workers down: how many they cost, and for how long they are refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from failsoft.actors import Actor, Ref, Reply, System, handles, streams
from failsoft.messages import (
    ChatMessage,
    GenerateText,
    GenerationFailed,
    InferenceTimeout,
    Message,
    PoisonedRequest,
    TextChunk,
    TextReply,
    WorkerLost,
)
from failsoft.messages.events import Event, RequestQuarantined
from failsoft.supervisors import (
    NO_WAIT,
    Candidate,
    ClearQuarantine,
    ListQuarantine,
    Poison,
    candidate,
)

from .crowd_actors import Log, Timed, asking, fixed, settled
from .router_actors import node_of, of_kind, spawn_router

pytestmark = pytest.mark.anyio

DEADLY = GenerateText("deadly")


def mortal(id: str, log: Log, deaths: list[str], **fields: object) -> Candidate:
    """Give a model that works on one prompt at a time, and a deadly one takes it down.

    Each takes a second. The others that it has at the time are not to blame.
    """

    class Mortal(Timed):
        async def on_start(self) -> None:
            self._worker = asyncio.Lock()

        async def _work(self, prompt: str) -> None:
            async with self._worker:
                await super()._work(prompt)
                if "deadly" in prompt:
                    deaths.append(id)
                    raise WorkerLost("gone", details={"begun": True})

    return candidate(id, lambda: Mortal(log, lambda _: 1.0), **fields)


async def mortals(system: System, count: int = 2, **options: object) -> tuple[Ref, Log, list[str]]:
    """Give a router of mortal models, what they were asked, and who died."""
    log = Log()
    deaths: list[str] = []
    models = [mortal(f"model {n}", log, deaths) for n in range(count)]
    ref = await spawn_router(system, *models, **{"backoff": NO_WAIT, **options})
    return ref, log, deaths


async def read(ref: Ref) -> None:
    """Read a deadly stream to its end."""
    async with ref.stream(DEADLY) as chunks:
        async for chunk in chunks:
            assert chunk.text == "a chunk"


async def quarantined(ref: Ref) -> None:
    with pytest.raises(PoisonedRequest):
        await ref.ask(DEADLY)


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_one_costs_two_workers_at_most(
    system: System, events: list[Event], count: int
) -> None:
    """WK-10 It is tried once more, elsewhere where it can be, and then refused."""
    ref, log, deaths = await mortals(system, count)
    with pytest.raises(PoisonedRequest) as refused:
        await ref.ask(DEADLY)
    expected = ["model 0", "model 0" if count == 1 else "model 1"]
    assert (deaths, log.prompts) == (expected, ["deadly", "deadly"])
    assert refused.value.details["attempts"] == 2
    assert refused.value.details["tried_models"] == dict.fromkeys(expected, "worker_lost")
    (told,) = of_kind(events, RequestQuarantined)
    assert (told.request, told.workers_lost, told.seconds) == ("GenerateText", 2, 600)
    assert told.fingerprint == refused.value.details["fingerprint"]


@pytest.mark.parametrize(
    "like",
    [
        DEADLY,
        GenerateText("deadly", seed=7),
        GenerateText("deadly", tenant="another", priority=9),
        GenerateText("  deadly\n"),
    ],
    ids=["same", "seed", "tenant", "space"],
)
async def test_its_like_is_refused_at_once(system: System, like: GenerateText) -> None:
    """WK-10 Whoever asks, by whatever chance; no worker is touched. Streams too."""
    ref, log, deaths = await mortals(system)
    await quarantined(ref)
    began = system.clock.now()
    with pytest.raises(PoisonedRequest) as refused:
        await ref.ask(like)
    with pytest.raises(PoisonedRequest):
        async with ref.stream(like) as chunks:
            await anext(chunks)
    assert system.clock.now() == began
    assert refused.value.details["retry_after"] == pytest.approx(600)
    assert refused.value.details["attempts"] == 0
    assert (len(log.prompts), len(deaths)) == (2, 2)


@pytest.mark.parametrize(
    "other",
    [
        GenerateText("lovely"),
        GenerateText("deadl"),
        GenerateText((ChatMessage("user", "lovely"),)),
    ],
    ids=["prompt", "shorter", "chat"],
)
async def test_others_are_answered(system: System, other: GenerateText) -> None:
    """WK-10 Only its like is held."""
    ref, _, _ = await mortals(system)
    await quarantined(ref)
    assert (await ref.ask(other)).text


async def test_ten_callers_at_once_cost_two_workers_at_most(system: System) -> None:
    """WK-10 Once it is quarantined, others like it are taken out of work at other models.

    Those that were beside it aren't to blame, and those that come later are refused.
    """
    ref, _, deaths = await mortals(system)
    tasks = [await asking(ref, "deadly", tenant=str(n)) for n in range(10)]
    neighbours = [await asking(ref, f"lovely {n}") for n in range(10)]
    refused = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in refused] == [PoisonedRequest] * 10
    assert 1 <= len(deaths) <= 2
    replies = await asyncio.gather(*neighbours)
    assert [reply.text for reply in replies] == [f"lovely {n}" for n in range(10)]


async def test_what_waits_in_line_is_refused_too_and_nobody_is_asked(system: System) -> None:
    """WK-10 It is in line when its like is quarantined."""
    ref, _, deaths = await mortals(system, 1, admission=fixed(1))
    tasks = [await asking(ref, prompt) for prompt in ("deadly", "lovely", "deadly", "deadly")]
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each).__name__ for each in answers] == [
        "PoisonedRequest",
        "TextReply",
        "PoisonedRequest",
        "PoisonedRequest",
    ]
    assert len(deaths) == 2


async def test_three_models_that_work_on_it_at_once_cost_no_more_than_three(
    system: System,
) -> None:
    """WK-10 What is in work already can't be taken back: as many as worked on it, at least two."""
    ref, _, deaths = await mortals(system, 3, admission=fixed(1, 0))
    tasks = [await asking(ref, "deadly") for _ in range(3)]
    refused = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in refused] == [PoisonedRequest] * 3
    assert sorted(deaths) == ["model 0", "model 1", "model 2"]


async def test_a_quarantine_ends_by_itself(system: System) -> None:
    """WK-10 After its time the request may be tried again, and found out again."""
    ref, _, deaths = await mortals(system, poison=Poison(seconds=100))
    await quarantined(ref)
    await asyncio.sleep(95)
    await quarantined(ref)
    assert len(deaths) == 2
    await asyncio.sleep(10)
    assert await ref.ask(ListQuarantine()) == ()
    await quarantined(ref)
    assert len(deaths) == 4


async def test_an_operator_sees_and_pardons(system: System) -> None:
    """WK-10 One by its fingerprint, or all."""
    ref, _, deaths = await mortals(system)
    await quarantined(ref)
    (entry,) = await ref.ask(ListQuarantine())
    assert (entry.request_type, entry.workers_lost) == ("GenerateText", 2)
    assert (entry.since, entry.until) == (2.0, 602.0)
    assert node_of(system).shows["quarantined"] == 1
    assert await ref.ask(ClearQuarantine("no such")) == 0
    await quarantined(ref)
    assert len(deaths) == 2
    assert await ref.ask(ClearQuarantine(entry.fingerprint)) == 1
    await quarantined(ref)
    assert len(deaths) == 4
    assert await ref.ask(ClearQuarantine()) == 1
    assert await ref.ask(ListQuarantine()) == ()


async def test_an_answer_ends_the_suspicion(system: System) -> None:
    """WK-10 One that killed a worker once and was answered then isn't held against it later."""
    log = Log()
    deaths: list[str] = []

    class Once(Timed):
        async def _work(self, prompt: str) -> None:
            await super()._work(prompt)
            if len(deaths) < 3 and len(log.prompts) % 2:
                deaths.append(prompt)
                raise WorkerLost("gone", details={"begun": True})

    ref = await spawn_router(
        system, candidate("a", lambda: Once(log, lambda _: 1.0)), backoff=NO_WAIT
    )
    for _ in range(3):
        assert (await ref.ask(DEADLY)).attempts == 2
    assert (len(deaths), await ref.ask(ListQuarantine())) == (3, ())


async def test_a_device_that_breaks_counts_as_a_worker(system: System) -> None:
    """WK-09 WK-10 Once on each of two models."""
    deaths: list[str] = []

    class Breaks(Timed):
        async def _work(self, prompt: str) -> None:
            await super()._work(prompt)
            deaths.append(prompt)
            raise GenerationFailed("The device broke.", details={"begun": True})

    models = [candidate(id, lambda: Breaks(Log(), lambda _: 1.0)) for id in "abc"]
    ref = await spawn_router(system, *models)
    await quarantined(ref)
    assert len(deaths) == 2


async def test_a_stream_that_has_begun_and_dies_is_blamed_though_it_is_not_tried_again(
    system: System,
) -> None:
    """WK-10 FB-06 The second such stream makes two workers; the third is refused."""
    log = Log()
    deaths: list[str] = []

    class Late(Timed):
        @streams(GenerateText)
        async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
            log.begin(request)
            yield TextChunk("a chunk")
            deaths.append("a")
            raise WorkerLost("gone", details={"begun": True})

    ref = await spawn_router(
        system, candidate("a", lambda: Late(log, lambda _: 0.0)), backoff=NO_WAIT
    )
    for error in (WorkerLost, PoisonedRequest, PoisonedRequest):
        with pytest.raises(error):
            await read(ref)
        await settled()
    assert len(deaths) == 2


class Hang(Message, frozen=True):
    """Have the watchdog end the worker."""


class Hanging(Actor):
    """Answer nobody; when the worker is ended for that, tell all that were in work, left or not."""

    def __init__(self) -> None:
        self._in_work: list[Reply[TextReply]] = []

    @handles(GenerateText)
    def generate(self, _request: GenerateText) -> Reply[TextReply]:
        self._in_work.append(self.context.defer())
        return self._in_work[-1]

    @handles(Hang)
    def hang(self, _message: Hang) -> None:
        for reply in self._in_work:
            reply.fail(WorkerLost("gone", details={"begun": True}))
        raise WorkerLost("gone")


async def test_a_prompt_that_hangs_a_worker_is_blamed_though_its_callers_have_left(
    system: System,
) -> None:
    """WK-10 Callers are less patient than a watchdog: else each of them would cost a worker."""
    ref = await spawn_router(system, candidate("a", Hanging), backoff=NO_WAIT)
    for _ in range(2):
        with pytest.raises(InferenceTimeout):
            await ref.ask(DEADLY, timeout=1)
        system.ref(f"{ref.path}/a").tell(Hang())
        await settled()
    with pytest.raises(PoisonedRequest):
        await ref.ask(DEADLY, timeout=1)
