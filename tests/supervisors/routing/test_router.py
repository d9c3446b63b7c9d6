"""The router: first ready candidate, fallback, retry, one deadline."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from failsoft.actors import Ref, System, TreeNode
from failsoft.messages import (
    ContextLengthExceeded,
    GenerateText,
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    ModelOverloaded,
    OutOfMemory,
    PoisonedRequest,
    TextReply,
    WorkerLost,
)
from failsoft.messages.events import ActorFailed, Event, FellBack, RequestFinished
from failsoft.supervisors import Backoff, Candidate, candidate, router

from .router_actors import Scripted, scripted

pytestmark = pytest.mark.anyio


HELLO = GenerateText("hello")


@contextlib.asynccontextmanager
async def routed(
    *candidates: Candidate, **options: object
) -> AsyncIterator[tuple[Ref, list[Event]]]:
    """Run a system with one router; give its ref, and all events."""
    events: list[Event] = []
    async with System() as system:
        system.events.subscribe(events.append)
        spec = router("text", *candidates, **options)
        yield await system.spawn(spec.start, "text"), events


def of_kind(events: list[Event], kind: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


async def test_the_first_ready_candidate_answers() -> None:
    """FB-01 The order is the priority, and the reply says who answered."""
    async with routed(candidate("a", scripted("A")), candidate("b", scripted("B"))) as (ref, _):
        reply = await ref.ask(HELLO)
    assert (reply.text, reply.model_used, reply.was_fallback, reply.attempts) == (
        "A",
        "a",
        False,
        1,
    )


async def test_a_candidate_that_is_not_ready_is_skipped_without_waiting() -> None:
    """FB-01 The second one answers in no time at all."""
    unready = candidate("a", lambda: Scripted(["A"], [], ready=False))
    async with routed(unready, candidate("b", scripted("B"))) as (ref, _):
        began = asyncio.get_running_loop().time()
        reply = await ref.ask(HELLO)
        assert asyncio.get_running_loop().time() == began
    assert (reply.text, reply.model_used, reply.was_fallback) == ("B", "b", True)


async def test_a_callers_fault_is_answered_and_goes_nowhere_else() -> None:
    """FB-02 The second candidate isn't asked, and nobody fails."""
    seen: list[str] = []
    fault = ContextLengthExceeded.of(9, 4)
    candidates = candidate("a", scripted(fault)), candidate("b", scripted("B", seen=seen))
    async with routed(*candidates) as (ref, events):
        with pytest.raises(ContextLengthExceeded) as caught:
            await ref.ask(HELLO)
        assert caught.value.details["input_length"] == 9
        assert seen == []
        assert not of_kind(events, ActorFailed)


async def test_a_failure_falls_back() -> None:
    """FB-01 The reply says so, and an event tells past whom it went and why."""
    lost = WorkerLost("gone", details={"begun": True})
    candidates = candidate("a", scripted(lost)), candidate("b", scripted("B"))
    async with routed(*candidates) as (ref, events):
        reply = await ref.ask(HELLO)
        (fell_back,) = of_kind(events, FellBack)
    assert (reply.model_used, reply.was_fallback, reply.attempts) == ("b", True, 2)
    assert isinstance(fell_back, FellBack)
    assert (fell_back.model, fell_back.cause) == ("a", "worker_lost")


async def test_when_all_fail_there_is_one_error_with_each_cause() -> None:
    """FB-03 Out of memory is not worth a second round on the same models."""
    candidates = (
        candidate("a", scripted(OutOfMemory("full"))),
        candidate("b", scripted(OutOfMemory("full"))),
    )
    async with routed(*candidates, degradation=None) as (ref, events):
        with pytest.raises(ModelOverloaded) as caught:
            await ref.ask(HELLO)
        assert [type(event) for event in of_kind(events, RequestFinished)] == [RequestFinished]
    assert caught.value.details["tried_models"] == {"a": "out_of_memory", "b": "out_of_memory"}
    assert caught.value.details["attempts"] == 2


async def test_a_single_candidates_own_error_is_the_answer() -> None:
    """With one candidate there is nothing to sum up: its last error comes, with the attempts."""
    async with routed(candidate("a", scripted(ModelOverloaded("busy"))), retries=2) as (ref, _):
        with pytest.raises(ModelOverloaded, match="busy") as caught:
            await ref.ask(HELLO)
    assert caught.value.details["attempts"] == 3


async def test_retries_wait_longer_each_time() -> None:
    """RY-01 Rounds begin 1, 2 and 4 s after one another; the last one succeeds."""
    busy = ModelOverloaded("busy")
    async with routed(
        candidate("a", scripted(busy, busy, busy, "A")), retry_backoff=Backoff(jitter=False)
    ) as (ref, _):
        began = asyncio.get_running_loop().time()
        reply = await ref.ask(HELLO)
        assert asyncio.get_running_loop().time() - began == pytest.approx(7)
    assert reply.attempts == 4


async def test_a_wait_that_would_pass_the_deadline_is_not_begun() -> None:
    """RY-02 The error comes now."""
    async with routed(
        candidate("a", scripted(ModelOverloaded("busy"))), retry_backoff=Backoff(jitter=False)
    ) as (ref, _):
        began = asyncio.get_running_loop().time()
        with pytest.raises(ModelOverloaded, match="busy"):
            await ref.ask(HELLO, timeout=0.9)
        assert asyncio.get_running_loop().time() == began


async def test_new_requests_go_back_to_the_primary_once_it_is_ready() -> None:
    """FB-04 The one under way stays where it is."""
    go = asyncio.Event()
    candidates = (
        candidate("a", scripted(WorkerLost("gone"), "A")),
        candidate("b", scripted(go, "B")),
    )
    async with routed(*candidates, backoff=Backoff(base=5, jitter=False)) as (ref, _):
        under_way = asyncio.create_task(ref.ask(HELLO))
        await asyncio.sleep(4)
        assert not under_way.done()
        await asyncio.sleep(2)
        assert (await ref.ask(HELLO)).model_used == "a"
        go.set()
        assert (await under_way).model_used == "b"


async def test_the_chain_shares_one_deadline() -> None:
    """FB-05 A candidate for which too little time is left is skipped."""
    seen: list[str] = []

    slow = asyncio.Event()
    asyncio.get_running_loop().call_later(3, slow.set)
    candidates = (
        candidate("a", scripted(slow, OutOfMemory("full"))),
        candidate("b", scripted("B", seen=seen), least_time=5.0),
        candidate("c", scripted("C")),
    )
    async with routed(*candidates) as (ref, _):
        assert (await ref.ask(HELLO, timeout=6)).model_used == "c"
    assert seen == []


async def test_at_the_deadline_a_request_that_waits_for_readiness_is_answered() -> None:
    """RT-06 Nothing is ready, so it waits, and not for ever."""
    async with routed(candidate("a", lambda: Scripted(["A"], [], ready=False))) as (ref, events):
        with pytest.raises(InferenceTimeout):
            await ref.ask(HELLO, timeout=2)
        await asyncio.sleep(0)
        (finished,) = of_kind(events, RequestFinished)
    assert isinstance(finished, RequestFinished)
    assert finished.outcome == "inference_timeout"


async def test_a_request_waits_for_the_first_to_become_ready() -> None:
    """Nothing is refused that can be answered in time."""

    class Late(Scripted):
        async def on_start(self) -> None:
            self.context.defer_ready()
            self.context.call_after(3, lambda: self.context.set_ready(True))

    async with routed(candidate("a", lambda: Late(["A"], []))) as (ref, _):
        assert (await ref.ask(HELLO, timeout=10)).text == "A"


async def test_a_request_that_took_two_workers_down_is_poisoned() -> None:
    """WK-10 The third candidate is spared."""
    seen: list[str] = []
    lost = WorkerLost("gone", details={"begun": True})
    candidates = (
        candidate("a", scripted(lost)),
        candidate("b", scripted(lost)),
        candidate("c", scripted("C", seen=seen)),
    )
    async with routed(*candidates) as (ref, _):
        with pytest.raises(PoisonedRequest):
            await ref.ask(HELLO)
    assert seen == []


async def test_a_request_that_broke_two_devices_is_poisoned() -> None:
    """WK-09 WK-10 An unusable device costs a worker, as a death does."""
    seen: list[str] = []
    broke = GenerationFailed("The device broke.", details={"begun": True})
    candidates = (
        candidate("a", scripted(broke)),
        candidate("b", scripted(broke)),
        candidate("c", scripted("C", seen=seen)),
    )
    async with routed(*candidates) as (ref, _):
        with pytest.raises(PoisonedRequest):
            await ref.ask(HELLO)
    assert seen == []


async def test_a_request_that_only_waited_in_lost_workers_is_not_poisoned() -> None:
    """WK-10 Who was not begun can't be to blame."""
    lost = WorkerLost("gone", details={"begun": False})
    candidates = (
        candidate("a", scripted(lost)),
        candidate("b", scripted(lost)),
        candidate("c", scripted("C")),
    )
    async with routed(*candidates) as (ref, _):
        assert (await ref.ask(HELLO)).model_used == "c"


async def test_a_stream_that_has_sent_nothing_may_fall_back() -> None:
    """FB-06 The reader sees one stream, from the second candidate."""
    candidates = candidate("a", scripted(WorkerLost("gone"))), candidate("b", scripted("x", "END"))
    async with routed(*candidates) as (ref, _), ref.stream(HELLO) as chunks:
        got = [chunk async for chunk in chunks]
    assert "".join(chunk.text for chunk in got) == "x"
    assert {(chunk.model_used, chunk.was_fallback) for chunk in got} == {("b", True)}


async def test_a_stream_that_has_sent_a_chunk_ends_with_the_error() -> None:
    """FB-06 RT-18 The chunk is read, then the error; the second candidate isn't asked."""
    seen: list[str] = []
    candidates = (
        candidate("a", scripted("x", GenerationFailed("broke"))),
        candidate("b", scripted("y", "END", seen=seen)),
    )
    async with routed(*candidates) as (ref, _), ref.stream(HELLO) as chunks:
        assert (await anext(chunks)).text == "x"
        with pytest.raises(GenerationFailed, match="broke"):
            await anext(chunks)
    assert seen == []


async def test_a_reader_that_leaves_ends_the_request() -> None:
    """RT-17 The outcome is the caller's own, and nobody failed."""
    async with routed(candidate("a", scripted("x", "y", asyncio.Event()))) as (ref, events):
        async with ref.stream(HELLO) as chunks:
            async for _ in chunks:
                break
        await asyncio.sleep(1)
        (finished,) = of_kind(events, RequestFinished)
        assert isinstance(finished, RequestFinished)
        assert finished.outcome == "cancelled"
        assert not of_kind(events, ActorFailed)


async def test_each_request_is_told_to_have_finished_once() -> None:
    """One RequestFinished each, with what it came to."""
    candidates = candidate("a", scripted(WorkerLost("gone"), "A")), candidate("b", scripted("B"))
    async with routed(*candidates) as (ref, events):
        replies = await asyncio.gather(*(ref.ask(HELLO) for _ in range(5)))
        finished = of_kind(events, RequestFinished)
    assert len(finished) == 5
    assert all(isinstance(reply, TextReply) for reply in replies)


async def test_a_candidate_that_fails_too_often_is_left_alone_and_the_route_lives() -> None:
    """The others answer; after the cool-down it is tried again."""
    lost = WorkerLost("gone")
    candidates = (
        candidate("a", scripted(lost, lost, lost, lost, "A")),
        candidate("b", scripted("B")),
    )
    async with routed(*candidates, backoff=Backoff(base=0), cool_down=60.0) as (ref, _):
        for _ in range(4):
            assert (await ref.ask(HELLO)).model_used == "b"
            await asyncio.sleep(0.1)
        await asyncio.sleep(50)
        assert (await ref.ask(HELLO)).model_used == "b"
        await asyncio.sleep(10)
        assert (await ref.ask(HELLO)).model_used == "a"


async def test_the_route_is_ready_while_one_candidate_is() -> None:
    """A router tells its own parent whether work is welcome."""

    def is_ready(node: TreeNode) -> bool:
        return node.is_ready

    async with System() as system:
        only = candidate("a", scripted(WorkerLost("gone"), "A"))
        spec = router("text", only, backoff=Backoff(jitter=False))
        ref = await system.spawn(spec.start, "text")
        await asyncio.sleep(0.01)
        assert is_ready(system.tree()[0])
        with pytest.raises(InferenceError):
            await ref.ask(HELLO, timeout=0.001)
        await asyncio.sleep(0.001)
        assert not is_ready(system.tree()[0])
