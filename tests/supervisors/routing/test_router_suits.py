"""Which candidates a request suits: its type, a stream or not, and how long its prompt is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from failsoft.actors import Actor, System, handles, streams
from failsoft.messages import (
    ContextLengthExceeded,
    GenerateText,
    InvalidInput,
    ModelOverloaded,
    Request,
    Streamed,
    TextReply,
)
from failsoft.supervisors import Breaker, candidate

from .router_actors import HELLO, USAGE, circuit_of, scripted, spawn_router

pytestmark = pytest.mark.anyio

TOO_LONG = ContextLengthExceeded.of(9, 4)


class Count(Request[int], frozen=True):
    """Ask for a number."""

    prompt: str = ""


class Counting(Actor):
    """Know how to count, and nothing else."""

    @handles(Count)
    def _count(self, request: Count) -> int:
        return len(request.prompt)


class Talking(Actor):
    """Answer whole, never in chunks."""

    @handles(GenerateText)
    def _ask(self, request: GenerateText) -> TextReply:
        return TextReply("whole", "stop", USAGE)


async def test_each_type_of_request_goes_to_a_candidate_that_answers_it(system: System) -> None:
    """The others aren't asked, and nothing is held against them."""
    ref = await spawn_router(
        system,
        candidate("text", scripted("A"), answers=(GenerateText,)),
        candidate("numbers", Counting, answers=(Count,)),
        requests=(GenerateText, Count),
    )
    assert await ref.ask(Count("four")) == 4
    assert (await ref.ask(HELLO)).model_used == "text"
    assert await circuit_of(ref, "numbers") == "closed"


async def test_a_request_that_suits_nobody_is_refused_at_once(system: System) -> None:
    """It says why, and gives no hope of later."""
    ref = await spawn_router(
        system,
        candidate("numbers", Counting, answers=(Count,)),
        candidate("more", Counting, answers=(Count,)),
        requests=(GenerateText, Count),
    )
    with pytest.raises(ModelOverloaded) as caught:
        await ref.ask(HELLO)
    assert caught.value.details["tried_models"] == {"numbers": "not_suited", "more": "not_suited"}
    assert "retry_after" not in caught.value.details


async def test_a_stream_goes_past_one_that_answers_only_whole(system: System) -> None:
    """A whole answer may come from it."""
    ref = await spawn_router(
        system,
        candidate("whole", Talking, streams=False),
        candidate("chunks", scripted("x", "END")),
    )
    async with ref.stream(HELLO) as chunks:
        assert {chunk.model_used async for chunk in chunks} == {"chunks"}
    assert (await ref.ask(HELLO)).model_used == "whole"


async def test_a_prompt_that_is_surely_too_long_skips_the_short_model(system: System) -> None:
    """Each word is a token at least."""
    seen: list[str] = []
    ref = await spawn_router(
        system,
        candidate("short", scripted("A", seen=seen), max_context=4),
        candidate("long", scripted("B"), max_context=100),
    )
    assert (await ref.ask(GenerateText("one two three four five"))).model_used == "long"
    assert not seen
    assert (await ref.ask(GenerateText("one two three"))).model_used == "short"


async def test_a_prompt_that_one_finds_too_long_goes_to_one_that_takes_more(
    system: System,
) -> None:
    """Only the model can count tokens; one in between that takes no more isn't asked."""
    seen: list[str] = []
    ref = await spawn_router(
        system,
        candidate("short", scripted(TOO_LONG), max_context=4),
        candidate("also-short", scripted(TOO_LONG, seen=seen), max_context=8),
        candidate("long", scripted("B"), max_context=9),
    )
    reply = await ref.ask(HELLO)
    assert (reply.model_used, reply.was_fallback) == ("long", True)
    assert not seen
    assert await circuit_of(ref, "short") == "closed"


async def test_where_none_takes_more_a_too_long_prompt_is_the_callers_fault(
    system: System,
) -> None:
    """FB-02 With max_context and without it, it is answered and goes nowhere else."""
    for bounds in ((4, 8), (None, None), (4, None)):
        seen: list[str] = []
        ref = await spawn_router(
            system,
            candidate("a", scripted(TOO_LONG), max_context=bounds[0]),
            candidate("b", scripted("B", seen=seen), max_context=bounds[1]),
        )
        with pytest.raises(ContextLengthExceeded):
            await ref.ask(HELLO)
        assert not seen
        await system.stop(ref)


async def test_a_stream_too_long_for_one_goes_to_one_that_takes_more(system: System) -> None:
    """FB-06 It has sent nothing yet."""
    ref = await spawn_router(
        system,
        candidate("short", scripted(TOO_LONG), max_context=4),
        candidate("long", scripted("x", "END"), max_context=9),
    )
    async with ref.stream(HELLO) as chunks:
        assert {chunk.model_used async for chunk in chunks} == {"long"}


class Numbers(Request[int], Streamed[int], frozen=True):
    """Ask for numbers, whole or one by one."""


class Numbering(Actor):
    @streams(Numbers)
    async def _stream(self, _request: Numbers) -> AsyncIterator[int]:
        for number in range(3):
            yield number


async def test_what_a_candidate_answers_need_not_have_the_fields_of_a_text(
    system: System,
) -> None:
    """Numbers come through as they are, also where the request has no prompt."""
    ref = await spawn_router(system, candidate("a", Numbering, max_context=5), requests=(Numbers,))
    async with ref.stream(Numbers()) as chunks:
        assert [chunk async for chunk in chunks] == [0, 1, 2]


@pytest.mark.parametrize("names", [("whole",), ("whole", "too")])
async def test_a_stream_that_no_handler_takes_isnt_held_against_the_model(
    system: System, names: tuple[str, ...]
) -> None:
    """BR-08 Else any caller could open its circuit; what it answers whole goes on."""
    models = [candidate(name, Talking) for name in names]
    ref = await spawn_router(system, *models, breaker=Breaker(consecutive_failures=1))
    with pytest.raises(InvalidInput, match="stream"):
        async for _ in ref.stream(HELLO):
            pass
    assert await circuit_of(ref, "whole") == "closed"
    assert (await ref.ask(HELLO)).model_used == "whole"


async def test_a_stream_that_no_handler_takes_goes_to_a_model_that_streams(
    system: System,
) -> None:
    """Also where its candidate doesn't say ``streams=False``."""
    ref = await spawn_router(
        system,
        candidate("whole", Talking),
        candidate("chunks", scripted("x", "END")),
        breaker=Breaker(consecutive_failures=1),
    )
    async with ref.stream(HELLO) as chunks:
        assert {chunk.model_used async for chunk in chunks} == {"chunks"}
    assert await circuit_of(ref, "whole") == "closed"
