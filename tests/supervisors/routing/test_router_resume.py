"""Streams whose worker is lost on the way: another one goes on after what the reader has."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from failsoft.actors import Actor, Ref, System, streams
from failsoft.messages import (
    GenerateText,
    InferenceTimeout,
    PoisonedRequest,
    TextChunk,
    Usage,
    WorkerLost,
)
from failsoft.messages.events import Event, RequestFinished, RequestResumed
from failsoft.supervisors import NO_WAIT, Backoff, Poison, RoutePolicy, candidate
from failsoft.supervisors.pool import Pool, Recipe

from .crowd_actors import settled
from .router_actors import of_kind, scripted, spawn_router

pytestmark = pytest.mark.anyio

WORDS = [f"word{number} " for number in range(8)]
WHOLE = "".join(WORDS)
SEEDED = GenerateText("a story", max_tokens=50, seed=1)
_workers = itertools.count(1)


class Teller(Actor):
    """Stream ``WORDS`` from where the reader is; be lost before the word that ``lost`` says next.

    In ``lost``, None is: never. It is shared by incarnations and replicas.
    """

    def __init__(
        self, lost: list[int | None], asked: list[GenerateText], told: bool, crashes: bool
    ) -> None:
        self._lost = lost
        self._asked = asked
        self._told = told
        self._crashes = crashes

    @streams(GenerateText, interleave=True)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        self._asked.append(request)
        lost_at = self._lost.pop(0) if self._lost else None
        answered = request.answered
        begin = 0 if answered is None else len(answered.text.split())
        for number in range(begin, len(WORDS)):
            if number == lost_at:
                lost = WorkerLost("gone", details={"begun": True, "worker": next(_workers)})
                raise lost if self._crashes else lost.as_answer()
            yield TextChunk(WORDS[number], token_ids=(number,) if self._told else ())
        yield TextChunk("", tokens=0, finish_reason="stop", usage=Usage(2, len(WORDS)))


def teller(
    *lost: int | None,
    asked: list[GenerateText] | None = None,
    told: bool = True,
    crashes: bool = False,
) -> Callable[[], Teller]:
    left, counted = list(lost), [] if asked is None else asked
    return lambda: Teller(left, counted, told, crashes)


async def read(ref: Ref, request: GenerateText = SEEDED, **options: Any) -> list[TextChunk]:
    async with ref.stream(request, **options) as chunks:
        return [chunk async for chunk in chunks]


def text_of(chunks: list[TextChunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


async def test_the_text_is_the_one_that_it_would_have_been(
    system: System, events: list[Event]
) -> None:
    """None of it twice, none missing; and it says nothing of it, for nothing is different."""
    asked: list[GenerateText] = []
    ref = await spawn_router(system, candidate("a", teller(3, asked=asked)))
    chunks = await read(ref)
    assert text_of(chunks) == WHOLE
    assert chunks[-1].warning is None
    assert asked[0].answered is None
    assert asked[1].answered is not None
    assert (asked[1].answered.token_ids, asked[1].answered.text) == ((0, 1, 2), "".join(WORDS[:3]))
    assert [(event.model, event.tokens) for event in of_kind(events, RequestResumed)] == [("a", 3)]
    assert [event.outcome for event in of_kind(events, RequestFinished)] == ["ok"]


async def test_tokens_are_kept_from_the_reader(system: System) -> None:
    ref = await spawn_router(system, candidate("a", teller()))
    assert not any(chunk.token_ids for chunk in await read(ref))


async def test_sampled_without_a_seed_the_last_chunk_says_that_it_was_resumed(
    system: System,
) -> None:
    ref = await spawn_router(system, candidate("a", teller(3)))
    chunks = await read(ref, GenerateText("a story", max_tokens=50))
    assert text_of(chunks) == WHOLE
    assert [chunk.warning for chunk in chunks[:-1]] == [None] * 8
    assert chunks[-1].warning == "A worker was lost after 3 tokens; another one went on from there."


async def test_greedy_it_says_nothing(system: System) -> None:
    ref = await spawn_router(system, candidate("a", teller(3)))
    chunks = await read(ref, GenerateText("a story", max_tokens=50, temperature=0.0))
    assert chunks[-1].warning is None


async def test_it_stays_with_its_model(system: System) -> None:
    """However ready another one is: its words would be others."""
    ref = await spawn_router(system, candidate("a", teller(3)), candidate("b", scripted("B")))
    chunks = await read(ref)
    assert text_of(chunks) == WHOLE
    assert {chunk.model_used for chunk in chunks} == {"a"}


async def test_another_replica_goes_on_at_once(system: System) -> None:
    """There is no pause: the pool has another worker."""
    make = lambda: Pool(Recipe(teller(5)), backoff=NO_WAIT)  # noqa: E731
    ref = await spawn_router(system, candidate("pool", make, is_pool=True))
    await settled()
    began = system.clock.now()
    assert text_of(await read(ref)) == WHOLE
    assert system.clock.now() == began


async def test_where_the_route_says_so_another_model_goes_on_and_it_is_said(
    system: System,
) -> None:
    """The first one is lost each time; the second reads the text so far."""
    asked: list[GenerateText] = []
    ref = await spawn_router(
        system,
        candidate("a", teller(3, 3, 3, 3)),
        candidate("b", teller(asked=asked)),
        resume="continue",
    )
    chunks = await read(ref)
    assert text_of(chunks) == WHOLE
    assert (chunks[-1].model_used, chunks[-1].was_fallback) == ("b", True)
    assert chunks[-1].warning == "A worker was lost after 3 tokens of a; b went on from there."
    assert asked[0].answered is not None
    assert asked[0].answered.text == "".join(WORDS[:3])


async def test_what_takes_down_two_workers_is_not_gone_on_with(system: System) -> None:
    """WK-10 The poison rule holds for a stream that goes on, too."""
    asked: list[GenerateText] = []
    ref = await spawn_router(system, candidate("a", teller(3, 5, asked=asked)))
    chunks: list[TextChunk] = []
    with pytest.raises(PoisonedRequest):
        async with ref.stream(SEEDED) as stream:
            chunks.extend([chunk async for chunk in stream])
    assert len(asked) == 2


async def test_it_goes_on_as_often_as_the_poison_rule_allows(system: System) -> None:
    ref = await spawn_router(system, candidate("a", teller(2, 4, 6)), poison=Poison(workers_lost=9))
    assert text_of(await read(ref)) == WHOLE


async def test_its_only_model_goes_on_once_it_is_restarted(system: System) -> None:
    after_5_s = Backoff(base=5, jitter=False)
    ref = await spawn_router(
        system, candidate("a", teller(3, crashes=True)), backoff=after_5_s, breaker=None
    )
    began = system.clock.now()
    assert text_of(await read(ref)) == WHOLE
    assert 5 <= system.clock.now() - began <= 6


async def test_the_deadline_is_the_one_that_it_had(system: System) -> None:
    """The restart takes longer than that."""
    after_100_s = Backoff(base=100, cap=100, jitter=False)
    ref = await spawn_router(
        system, candidate("a", teller(3, crashes=True)), backoff=after_100_s, breaker=None
    )
    began = system.clock.now()
    with pytest.raises((InferenceTimeout, WorkerLost)):
        await read(ref, timeout=10)
    assert system.clock.now() - began <= 10


async def test_a_stream_that_tells_no_tokens_ends_with_the_error(system: System) -> None:
    """Of a server elsewhere, say."""
    ref = await spawn_router(system, candidate("a", teller(3, told=False)))
    with pytest.raises(WorkerLost):
        await read(ref)


async def test_where_it_is_not_wanted_the_stream_ends_with_the_error(system: System) -> None:
    ref = await spawn_router(system, candidate("a", teller(3)), resume=None)
    with pytest.raises(WorkerLost):
        await read(ref)


def test_another_word_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="resume must be 'same', 'continue' or None"):
        RoutePolicy(resume="never")  # type: ignore[arg-type]


class Odd(Actor):
    """Stream what is no ``TextChunk``."""

    @streams(GenerateText)
    async def _stream(self, _request: GenerateText) -> AsyncIterator[Any]:
        yield "a word"


async def test_chunks_of_somebodys_own_go_through(system: System) -> None:
    ref = await spawn_router(system, candidate("a", Odd))
    chunks: list[Any] = await read(ref)
    assert chunks == ["a word"]


class Late(Teller):
    """Fail after the last chunk."""

    @streams(GenerateText, interleave=True)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        async for chunk in super()._stream(request):
            yield chunk
        raise WorkerLost("gone", details={"begun": True}).as_answer()


async def test_an_answer_that_is_whole_is_not_gone_on_with(system: System) -> None:
    asked: list[GenerateText] = []
    ref = await spawn_router(system, candidate("a", lambda: Late([], asked, True, False)))
    with pytest.raises(WorkerLost):
        await read(ref)
    assert len(asked) == 1


class Long(Actor):
    """Stream numbers from where the reader is."""

    @streams(GenerateText, interleave=True)
    async def _stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        answered = request.answered
        for number in range(0 if answered is None else len(answered.token_ids), 100):
            yield TextChunk(f"{number} ", token_ids=(number,))
        yield TextChunk("", tokens=0, finish_reason="stop", usage=Usage(2, 100))


async def test_what_a_slow_reader_has_no_room_for_yet_is_not_missing(system: System) -> None:
    """Its worker is lost while a chunk waits for the reader."""
    ref = await spawn_router(system, candidate("a", Long), backoff=NO_WAIT)
    async with ref.stream(SEEDED) as stream:
        await settled()
        system.ref("text/a").address.crash(RuntimeError("crash"))  # type: ignore[attr-defined]
        await settled()
        said = "".join([chunk.text async for chunk in stream])
    assert said == "".join(f"{number} " for number in range(100))
