"""Asking: one answer each, deadlines, cancellation, errors."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from failsoft.actors import (
    Actor,
    ActorStopped,
    System,
    TreeFailed,
    current_deadline,
    handles,
)
from failsoft.messages import (
    GenerationFailed,
    InferenceTimeout,
    InvalidInput,
    Request,
    WorkerLost,
)
from failsoft.messages.events import ActorFailed, Event
from failsoft.supervisors import Backoff, Intensity, Supervisor, child

from .sample_actors import Boom, Busy, Cancellable, Deferring, Interleaving, Noted, Work, quiet

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("ends", [{"deadline": -1.0}, {"timeout": 0.0}, {"timeout": -1.0}])
async def test_a_deadline_in_the_past_is_a_timeout_at_once(
    system: System, ends: dict[str, float]
) -> None:
    """RT-05 The handler never runs."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    with pytest.raises(InferenceTimeout):
        await ref.ask(Work(), **ends)
    await quiet()
    assert actor.notes == []


@pytest.mark.parametrize("ends", [{"timeout": math.nan}, {"deadline": math.nan}])
async def test_an_end_that_is_no_number_is_refused(system: System, ends: dict[str, float]) -> None:
    """RT-05 It would never come."""
    ref = await system.spawn(Busy, "busy")
    with pytest.raises(ValueError, match="must be numbers of seconds"):
        await ref.ask(Work(), **ends)


async def test_a_request_that_times_out_in_the_queue_is_not_handled(system: System) -> None:
    """RT-06 It is counted as expired when its turn comes."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    ref.tell(Work("in hand"))
    with pytest.raises(InferenceTimeout, match="after 2 s"):
        await ref.ask(Work("late"), timeout=2)
    assert system.clock.now() == 2
    actor.gate.set()
    await quiet()
    assert actor.notes == ["start in hand", "end in hand"]
    assert system.tree()[0].expired == 1
    assert system.dead_letters.total == 0


async def test_an_ask_without_a_timeout_has_the_systems(clean_loop: None, plain_logs: None) -> None:
    """RT-06 Nobody waits for ever."""
    async with System(ask_timeout=7) as system:
        ref = await system.spawn(Cancellable, "busy")
        with pytest.raises(InferenceTimeout):
            await ref.ask(Work())
        assert system.clock.now() == 7


async def test_a_cancelled_asker_cancels_a_handler_that_said_so(system: System) -> None:
    """RT-07 The slot is free for the next; nothing is reported as lost."""
    actor = Cancellable()
    ref = await system.spawn(lambda: actor, "busy")
    asked = asyncio.ensure_future(ref.ask(Work("a")))
    await actor.started.wait()
    asked.cancel()
    await quiet()
    assert actor.notes == ["start a", "end a"]
    assert system.tree()[0].expired == 1
    actor.gate.set()
    assert await ref.ask(Work("b")) == "b"
    assert system.dead_letters.total == 0


async def test_a_cancelled_asker_leaves_other_handlers_alone(system: System) -> None:
    """RT-07 Who didn't say that it may be cancelled is not; its answer is a dead letter."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    asked = asyncio.ensure_future(ref.ask(Work("a")))
    await actor.started.wait()
    asked.cancel()
    await quiet()
    assert actor.notes == ["start a"]
    actor.gate.set()
    await quiet()
    assert system.dead_letters.counts() == {"late reply": 1}


async def test_an_asker_that_is_cancelled_before_the_handler_runs(system: System) -> None:
    """RT-07 Between send and handle: the message is skipped."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    asked = asyncio.ensure_future(ref.ask(Work("a")))
    await asyncio.sleep(0)
    asked.cancel()
    await quiet()
    assert asked.cancelled()
    assert actor.notes == []
    assert system.tree()[0].expired == 1


async def test_a_reply_after_the_timeout_is_a_dead_letter(system: System) -> None:
    """RT-08 Nothing raises, and the actor goes on."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    with pytest.raises(InferenceTimeout):
        await ref.ask(Work("slow"), timeout=1)
    actor.gate.set()
    assert await ref.ask(Noted()) == ["start slow", "end slow"]
    (letter,) = system.dead_letters.recent
    assert (letter.message, letter.reason) == ("slow", "late reply")


async def spawn_supervised(system: System, actor: type[Actor]) -> tuple[Any, list[ActorFailed]]:
    """Start an actor that is restarted; give its ref, and its failures as they are told."""
    failures: list[ActorFailed] = []
    system.events.subscribe(failures.append, ActorFailed)
    specs = [child("actor", actor)]
    await system.spawn(
        lambda: Supervisor(specs, intensity=Intensity(10, 1), backoff=Backoff()), "root"
    )
    return system.ref("root/actor"), failures


@pytest.mark.parametrize("kind", [Busy, Interleaving])
async def test_the_asker_gets_the_error_that_the_handler_raised(
    system: System, kind: type[Busy]
) -> None:
    """RT-09 The very same, once; and the supervisor hears of one failure."""

    class Failing(kind):  # type: ignore[misc, valid-type]
        @handles(Work, interleave=kind is Interleaving)
        async def work(self, message: Work) -> str:
            raise KeyError(message.name)

    ref, failures = await spawn_supervised(system, Failing)
    for name in "ab":
        with pytest.raises(KeyError, match=name):
            await ref.ask(Work(name))
        await asyncio.sleep(100)
    assert [failure.error for failure in failures] == ["KeyError: 'a'", "KeyError: 'b'"]
    assert system.ref("root/actor").is_alive
    node = next(node for node in system.tree()[0].walk() if node.name == "actor")
    assert (node.failed, node.restarts) == (2, 2)


@pytest.mark.parametrize(
    "error", [StopIteration(3), asyncio.CancelledError(), StopAsyncIteration(), ValueError("no")]
)
async def test_whatever_a_plain_handler_raises_is_answered(
    system: System, error: BaseException
) -> None:
    """RT-09 Also what a future can't carry, and what would look like the asker's cancellation."""
    ref, failures = await spawn_supervised(system, Busy)
    expected = type(error) if isinstance(error, (ValueError, StopAsyncIteration)) else RuntimeError
    with pytest.raises(expected) as raised:
        await ref.ask(Boom(error))
    assert type(error).__name__ in repr(raised.value) or raised.value is error
    await quiet()
    assert len(failures) == 1


@pytest.mark.parametrize("interleave", [False, True])
async def test_a_handler_that_cancels_itself_has_failed(system: System, interleave: bool) -> None:
    """RT-09 By awaiting what was cancelled, say: the asker is answered, the actor restarted."""

    class Self(Busy):
        @handles(Work, interleave=interleave)
        async def work(self, _message: Work) -> str:
            lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            lost.cancel()
            return await lost

    ref, failures = await spawn_supervised(system, Self)
    with pytest.raises((RuntimeError, ActorStopped), match="CancelledError"):
        await ref.ask(Work())
    await quiet()
    assert [failure.error for failure in failures] == ["CancelledError"]


async def test_two_jobs_that_fail_at_once_are_one_failure(system: System) -> None:
    """RT-09 What is left of the first incarnation doesn't fail the next."""
    gate = asyncio.Event()

    class Failing(Busy):
        @handles(Work, interleave=True)
        async def work(self, message: Work) -> str:
            await gate.wait()
            raise KeyError(message.name)

    ref, failures = await spawn_supervised(system, Failing)
    asked = [asyncio.ensure_future(ref.ask(Work(name))) for name in "abc"]
    await quiet()
    gate.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [KeyError] * 3
    await asyncio.sleep(100)
    assert len(failures) == 1
    assert await ref.ask(Noted()) == []


async def test_a_callers_fault_is_an_answer_and_no_failure(system: System) -> None:
    """RT-10 Nobody is restarted, and what the actor knew it still knows."""
    failures: list[Event] = []
    system.events.subscribe(failures.append, ActorFailed)
    ref = await system.spawn(Busy, "busy")
    with pytest.raises(InvalidInput):
        await ref.ask(Boom(InvalidInput("no")))
    await quiet()
    assert failures == []
    node = system.tree()[0]
    assert (node.handled, node.failed, node.restarts) == (1, 0, 0)


async def test_an_error_that_was_marked_as_an_answer_is_no_failure(system: System) -> None:
    """RT-10 A router, say, passes a model's failure on."""
    ref = await system.spawn(Busy, "busy")
    with pytest.raises(GenerationFailed):
        await ref.ask(Boom(GenerationFailed("it failed").as_answer()))
    assert system.tree()[0].failed == 0


async def test_a_callers_fault_that_nobody_asked_for_is_a_failure(
    clean_loop: None, plain_logs: None
) -> None:
    """RT-10 A tell has no caller to be told: the error must not vanish."""

    async def run() -> None:
        async with System() as system:
            ref = await system.spawn(Busy, "busy")
            ref.tell(Boom(InvalidInput("no")))
            await asyncio.sleep(10)

    with pytest.raises(TreeFailed):
        await run()


async def test_the_deadline_is_seen_by_the_handler_and_no_hop_extends_it(
    system: System,
) -> None:
    """RT-06 What a handler asks on ends by the same time, or before."""
    seen: list[float] = []

    class Forward(Request[None], frozen=True):
        timeout: float | None

    class Forwarding(Actor):
        @handles(Forward)
        async def forward(self, message: Forward) -> None:
            seen.append(current_deadline())
            await busy.ask(Work(), timeout=message.timeout)

    busy = await system.spawn(Busy, "busy")
    ref = await system.spawn(Forwarding, "forwarding")
    for timeout in (None, 50.0, 1.0):
        began = system.clock.now()
        with pytest.raises(InferenceTimeout):
            await ref.ask(Forward(timeout), timeout=3)
        assert system.clock.now() - began == pytest.approx(min(3, timeout or 3))
        await system.stop(busy, within=0)
        busy = await system.spawn(Busy, "busy")
    assert current_deadline() == math.inf
    assert seen[0] == 3


# -- deferred answers


async def test_a_deferred_answer_comes_when_it_is_given(system: System) -> None:
    """RT-08 Once; a second one is a dead letter."""
    actor = Deferring()
    ref = await system.spawn(lambda: actor, "deferring")
    asked = asyncio.ensure_future(ref.ask(Work()))
    await quiet()
    assert not asked.done()
    assert actor.owed[0].set("done")
    assert not actor.owed[0].set("again")
    assert await asked == "done"
    assert system.dead_letters.counts() == {"late reply": 1}


@pytest.mark.parametrize("end", ["crash", "kill", "exit", "raise"])
async def test_a_deferred_answer_is_given_when_the_actor_ends_first(
    system: System, end: str
) -> None:
    """RT-11 Exactly one, whatever ended it; the actor's own later one is a dead letter."""
    actor = Deferring()
    await system.spawn(
        lambda: Supervisor([child("actor", lambda: actor, restart="temporary")]), "root"
    )
    ref = system.ref("root/actor")
    asked = [asyncio.ensure_future(ref.ask(Work())) for _ in range(3)]
    await quiet()
    match end:
        case "crash":
            actor.context.crash(KeyError("x"))
        case "kill":
            system.find("root/actor").address.kill()  # type: ignore[union-attr]
        case "exit":
            actor.context.exit()
        case "raise":
            ref.tell(Boom(KeyError("x")))
    await quiet()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ActorStopped] * 3
    assert not actor.owed[0].set("late")
    assert system.dead_letters.counts() == {"late reply": 1}


async def test_a_stop_waits_for_deferred_answers(system: System) -> None:
    """RT-14 They are in hand; but not for longer than the shutdown timeout."""
    actor = Deferring()
    ref = await system.spawn(lambda: actor, "deferring")
    asked = [asyncio.ensure_future(ref.ask(Work())) for _ in range(2)]
    await quiet()
    stopping = asyncio.ensure_future(system.stop(ref, within=9))
    await asyncio.sleep(1)
    actor.owed[0].set("in time")
    assert await asked[0] == "in time"
    assert not stopping.done()
    with pytest.raises(ActorStopped, match="killed"):
        await asked[1]
    assert system.clock.now() == pytest.approx(9)
    await stopping


async def test_an_inference_error_that_ends_the_actor_answers_what_was_owed(
    system: System,
) -> None:
    """RT-11 Each asker gets an error of its own, which it may add to."""
    actor = Deferring()
    await system.spawn(
        lambda: Supervisor([child("actor", lambda: actor, restart="temporary")]), "root"
    )
    ref = system.ref("root/actor")
    asked = [asyncio.ensure_future(ref.ask(Work())) for _ in range(2)]
    await quiet()
    actor.context.crash(WorkerLost("gone", details={"begun": True}))
    first, second = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(first, WorkerLost)
    assert isinstance(second, WorkerLost)
    first.details["tried"] = 1
    first.is_refusal = True
    assert second.details == {"begun": True}
    assert not second.is_refusal


async def test_only_a_plain_handler_may_defer(system: System) -> None:
    """RT-08 A coroutine's message isn't certain while others are in hand: it is told so."""

    class Wrong(Busy):
        @handles(Work)
        async def work(self, _message: Work) -> Any:
            return self.context.defer()

    ref, _ = await spawn_supervised(system, Wrong)
    with pytest.raises(RuntimeError, match="plain handlers"):
        await ref.ask(Work())


# -- no actor to answer


async def test_a_stopped_actor_answers_with_an_error_at_once(system: System) -> None:
    """RT-12 A tell is a dead letter; nobody hangs."""
    ref = await system.spawn(Busy, "busy")
    await system.stop(ref)
    assert not ref.is_alive
    with pytest.raises(ActorStopped, match="shutdown"):
        await ref.ask(Work())
    ref.tell(Work())
    assert system.dead_letters.counts() == {"actor stopped": 1}
    assert system.clock.now() == 0


async def test_an_actor_that_is_being_restarted_is_waited_for(system: System) -> None:
    """RT-12 Within the deadline: the ref stays good, and the message waits in the mailbox."""
    ref, _ = await spawn_supervised(system, Busy)
    ref.tell(Boom(KeyError("x")))
    await quiet()
    assert ref.is_alive
    with pytest.raises(InferenceTimeout):
        await ref.ask(Noted(), timeout=1e-6)
    assert await ref.ask(Noted()) == []
    assert system.find("root/actor") == ref
