"""Stopping and killing: what is in hand is finished or given up, and answered either way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from failsoft.actors import (
    KILLED,
    NORMAL,
    SHUTDOWN,
    Actor,
    ActorStopped,
    ExitReason,
    StartFailed,
    System,
    TreeFailed,
    handles,
)
from failsoft.actors.cell import Cell
from failsoft.messages.events import ActorFailed
from failsoft.supervisors import NO_WAIT, Supervisor, child

from .sample_actors import Boom, Busy, Interleaving, Note, Notebook, Noted, Work, quiet

pytestmark = pytest.mark.anyio


def cell_of(system: System, path: str) -> Cell:
    cell = system.ref(path).address
    assert isinstance(cell, Cell)
    return cell


async def test_what_waits_when_an_actor_stops_is_answered_or_buried(system: System) -> None:
    """RT-11 Asks with actor-stopped, tells as dead letters, in order."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    in_hand = asyncio.ensure_future(ref.ask(Work("in hand")))
    await actor.started.wait()
    answers: list[str] = []

    async def ask(name: str) -> None:
        with pytest.raises(ActorStopped):
            await ref.ask(Work(name))
        answers.append(name)

    queued = []
    for name in ("a", "b", "c"):
        ref.tell(Note(name))
        queued.append(asyncio.ensure_future(ask(name)))
        await asyncio.sleep(0)
    stopping = asyncio.ensure_future(system.stop(ref))
    await quiet()
    actor.gate.set()
    assert await in_hand == "in hand"
    await stopping
    await asyncio.gather(*queued)
    assert answers == ["a", "b", "c"]
    letters = system.dead_letters.recent
    assert [letter.message for letter in letters] == [Note("a"), Note("b"), Note("c")]
    assert {letter.reason for letter in letters} == {"actor stopped"}


async def test_stop_waits_for_the_message_in_hand(system: System) -> None:
    """RT-14 And for no other."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    asked = asyncio.ensure_future(ref.ask(Work()))
    await actor.started.wait()
    ref.tell(Note("too late"))
    stopping = asyncio.ensure_future(system.stop(ref))
    await asyncio.sleep(4.9)
    assert not stopping.done()
    actor.gate.set()
    await stopping
    assert await asked == "work"
    assert actor.reason == SHUTDOWN
    assert actor.notes == ["start work", "end work"]


async def test_past_its_time_the_handler_is_cancelled_and_its_finally_has_run(
    system: System,
) -> None:
    """RT-14 By the time that stop returns."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    asked = asyncio.ensure_future(ref.ask(Work()))
    await actor.started.wait()
    await system.stop(ref, within=2)
    assert system.clock.now() == 2
    assert actor.notes == ["start work", "end work"]
    assert actor.reason == KILLED
    with pytest.raises(ActorStopped, match="killed"):
        await asked


async def test_stop_waits_for_interleaving_handlers_too(system: System) -> None:
    """RT-14 They are in hand, all of them."""
    actor = Interleaving()
    ref = await system.spawn(lambda: actor, "busy")
    asked = [asyncio.ensure_future(ref.ask(Work(name))) for name in "ab"]
    await quiet()
    stopping = asyncio.ensure_future(system.stop(ref))
    await asyncio.sleep(1)
    assert not stopping.done()
    actor.gate.set()
    await stopping
    assert await asyncio.gather(*asked) == ["a", "b"]


async def test_a_second_stop_can_only_hasten_the_end(system: System) -> None:
    """RT-14 The actor is told once, and the earliest limit holds."""
    told: list[ExitReason] = []

    class Told(Interleaving):
        def on_shutdown(self, reason: ExitReason) -> bool:
            told.append(reason)
            return True

    ref = await system.spawn(Told, "told")
    ref.tell(Work())
    await quiet()
    async with asyncio.TaskGroup() as group:
        for within in (50, 3, 100):
            group.create_task(system.stop(ref, within=within))
    assert system.clock.now() == pytest.approx(3)
    assert told == [SHUTDOWN]


async def test_an_actor_may_take_its_time_to_end(system: System) -> None:
    """RT-14 Once on_shutdown gave False, only exit ends it, or the time that it has."""

    class Slow(Notebook):
        def on_shutdown(self, _reason: ExitReason) -> bool:
            self.context.call_after(3, lambda: self.context.exit(SHUTDOWN))
            return False

    ref = await system.spawn(Slow, "slow")
    stopping = [asyncio.ensure_future(system.stop(ref)) for _ in range(2)]
    await asyncio.sleep(2.9)
    assert ref.is_alive
    await asyncio.gather(*stopping)
    assert system.clock.now() == 3


async def test_stop_during_the_start_calls_it_off(system: System) -> None:
    """RT-14 There is nothing in hand yet that would be worth waiting for."""
    ended: list[str] = []

    class Slow(Actor):
        async def on_start(self) -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                ended.append("on_start")

        async def on_stop(self, reason: ExitReason) -> None:
            ended.append(f"on_stop {reason}")

    spawning = asyncio.ensure_future(system.spawn(Slow, "slow"))
    await quiet()
    await system.stop(system.ref("slow"))
    assert system.clock.now() < 1
    assert ended == ["on_start", "on_stop shutdown"]
    with pytest.raises(StartFailed, match="shutdown"):
        await spawning


async def test_a_start_that_swallows_its_cancellation_is_stopped_all_the_same(
    system: System,
) -> None:
    """RT-14 As soon as it returns."""

    class Stubborn(Notebook):
        async def on_start(self) -> None:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                await asyncio.sleep(1)

    spawning = asyncio.ensure_future(system.spawn(Stubborn, "slow"))
    await quiet()
    await system.stop(system.ref("slow"))
    assert system.clock.now() == pytest.approx(1)
    await spawning


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_an_actor_that_is_ended_before_its_first_step_is_never_made(
    system: System, how: str
) -> None:
    """RT-14 And its parent hears of the end as of any other."""
    made: list[int] = []

    def make() -> Actor:
        made.append(1)
        return Notebook()

    spawning = asyncio.ensure_future(system.spawn(make, "never"))
    await asyncio.sleep(0)
    cell = cell_of(system, "never")
    assert made == []
    if how == "stop":
        cell.stop(SHUTDOWN, 5)
    else:
        cell.kill()
    with pytest.raises(StartFailed):
        await spawning
    assert made == []
    assert cell.is_closed


async def test_an_end_before_a_jobs_first_step_answers_its_asker(system: System) -> None:
    """RT-14 A task that never ran has no finally that could."""

    class Many(Interleaving):
        max_interleaved = 10

    actor = Many()
    spec = child("busy", lambda: actor, restart="temporary")
    await system.spawn(lambda: Supervisor([spec]), "root")
    ref = system.ref("root/busy")
    asked = asyncio.ensure_future(ref.ask(Work()))
    await asyncio.sleep(0)
    told = Work("told")
    ref.tell(told)
    ref.tell(Boom(KeyError("x")))
    with pytest.raises(ActorStopped, match="KeyError"):
        await asked
    await quiet()
    assert actor.notes == []
    assert [(d.message, d.reason) for d in system.dead_letters.recent] == [(told, "given up")]


async def test_an_actor_whose_clean_up_hangs_is_killed(system: System) -> None:
    """RT-14 Within the shutdown timeout, on_stop included."""

    class Hanging(Notebook):
        async def on_stop(self, reason: ExitReason) -> None:
            await asyncio.sleep(1000)

    ref = await system.spawn(Hanging, "hanging")
    await system.stop(ref, within=2)
    assert system.clock.now() == 2


async def test_a_failed_actor_whose_clean_up_hangs_is_killed(
    clean_loop: None, plain_logs: None
) -> None:
    """RT-14 Its supervisor must hear of the failure, and soon."""

    class Hanging(Notebook):
        async def on_stop(self, reason: ExitReason) -> None:
            await asyncio.sleep(1000)

    loop = asyncio.get_running_loop()

    async def run() -> None:
        async with System() as system:
            ref = await system.spawn(Hanging, "hanging")
            ref.tell(Boom(KeyError("x")))
            await asyncio.sleep(100)

    with pytest.raises(TreeFailed, match="KeyError"):
        await run()
    assert loop.time() == 5


async def test_a_killed_actor_whose_clean_up_hangs_is_cancelled_again(system: System) -> None:
    """RT-14 The first kill is for the handler, the second for the clean-up."""
    ended: list[float] = []

    class Hanging(Busy):
        async def on_stop(self, reason: ExitReason) -> None:
            try:
                await asyncio.sleep(1000)
            finally:
                ended.append(self.context.clock.now())

    ref = await system.spawn(Hanging, "hanging")
    asked = asyncio.ensure_future(ref.ask(Work()))
    await quiet()
    await system.stop(ref, within=2)
    assert ended == [pytest.approx(7)]
    with pytest.raises(ActorStopped):
        await asked


@pytest.mark.parametrize("interleave", [False, True])
async def test_a_handler_that_swallows_cancellation_ends_at_last(
    system: System, interleave: bool
) -> None:
    """RT-14 It is cancelled again and again; its asker was answered at the first kill."""
    swallowed: list[float] = []

    class Stubborn(Busy):
        @handles(Work, interleave=interleave)
        async def work(self, _message: Work) -> str:
            while len(swallowed) < 3:
                try:
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    swallowed.append(self.context.clock.now())
            return "done"

    ref = await system.spawn(Stubborn, "stubborn")
    asked = asyncio.ensure_future(ref.ask(Work()))
    await quiet()
    await system.stop(ref, within=1)
    assert swallowed == pytest.approx([1, 6, 11])
    answer = (await asyncio.gather(asked, return_exceptions=True))[0]
    assert answer == "done" if not interleave else isinstance(answer, ActorStopped)


async def test_a_killed_handler_that_returns_is_followed_by_the_end(system: System) -> None:
    """RT-14 No other message is handled after a kill that was swallowed."""

    class Swallowing(Busy):
        @handles(Work)
        async def work(self, _message: Work) -> str:
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                return "swallowed"
            return "slept"

    actor = Swallowing()
    ref = await system.spawn(lambda: actor, "swallowing")
    asked = asyncio.ensure_future(ref.ask(Work()))
    await quiet()
    ref.tell(Note("after"))
    await system.stop(ref, within=0)
    assert await asked == "swallowed"
    assert actor.notes == []


async def test_an_actor_can_end_itself(system: System) -> None:
    """RT-14 Once the handler in hand has returned, whose answer is given."""

    class Ending(Busy):
        @handles(Noted)
        def noted(self, _message: Noted) -> list[Any]:
            self.context.exit()
            return ["bye"]

    actor = Ending()
    ref = await system.spawn(lambda: actor, "ending")
    asked = asyncio.ensure_future(ref.ask(Noted()))
    ref.tell(Note("after"))
    assert await asked == ["bye"]
    await quiet()
    assert not ref.is_alive
    assert actor.reason == NORMAL
    assert actor.notes in ([], ["after"])


async def test_an_actor_that_asks_to_be_stopped_and_waits_is_killed(system: System) -> None:
    """RT-14 It waits for itself: that ends with its time."""

    class Waiting(Busy):
        @handles(Work)
        async def work(self, _message: Work) -> str:
            stopping = self.context.system.stop(self.context.ref, within=3)
            await asyncio.ensure_future(stopping)  # else it would be told at once
            return "unreachable"

    ref = await system.spawn(Waiting, "waiting")
    with pytest.raises(ActorStopped):
        await ref.ask(Work())
    assert system.clock.now() == 3


async def test_a_failure_in_the_clean_up_is_a_failure(system: System) -> None:
    """RT-14 But not one that ends a tree that was asked to stop this very actor."""
    failures: list[ActorFailed] = []
    system.events.subscribe(failures.append, ActorFailed)

    class Failing(Notebook):
        async def on_stop(self, reason: ExitReason) -> None:
            raise KeyError("clean-up")

    ref = await system.spawn(Failing, "failing")
    await system.stop(ref)
    assert [failure.error for failure in failures] == ["KeyError: 'clean-up'"]


async def test_children_of_an_actor_are_stopped_in_reverse_order(system: System) -> None:
    """RT-14 After their parent's own clean-up, with time for what they have in hand."""
    log: list[str] = []

    class Child(Busy):
        async def on_stop(self, reason: ExitReason) -> None:
            log.append(f"{self.context.path} {reason}")

    class Parent(Notebook):
        async def on_start(self) -> None:
            for name in "ab":
                self.context.spawn(Child, name)

        async def on_stop(self, reason: ExitReason) -> None:
            log.append("parent")

    ref = await system.spawn(Parent, "parent")
    await quiet()
    asked = asyncio.ensure_future(system.ref("parent/a").ask(Work()))
    await quiet()
    stopping = asyncio.ensure_future(system.stop(ref))
    await asyncio.sleep(3)
    assert log == ["parent", "parent/b shutdown"]
    await stopping
    assert log[2:] == ["parent/a killed"]
    with pytest.raises(ActorStopped):
        await asked


async def test_a_childs_failure_is_its_parents_and_takes_the_siblings_along(
    clean_loop: None, plain_logs: None
) -> None:
    """RT-09 As by OTP's links; the chain of causes says so."""
    ended: list[str] = []

    class Child(Notebook):
        async def on_stop(self, reason: ExitReason) -> None:
            ended.append(f"{self.context.path} {reason}")

    class Parent(Notebook):
        async def on_start(self) -> None:
            for name in "ab":
                self.context.spawn(Child, name)

    async def run() -> None:
        async with System() as system:
            await system.spawn(Parent, "parent")
            await quiet()
            system.ref("parent/a").tell(Boom(KeyError("x")))
            await asyncio.sleep(10)

    with pytest.raises(TreeFailed) as failure:
        await run()
    assert ended == ["parent/a KeyError: 'x'", "parent/b killed"]
    child_failed = failure.value.__cause__
    assert str(child_failed) == "parent/a failed: KeyError: 'x'"
    assert isinstance(child_failed.__cause__, KeyError)  # type: ignore[union-attr]


async def test_a_factory_that_makes_no_actor_is_told_so(system: System) -> None:
    """SV-08 At the start, with what it gave."""
    with pytest.raises(StartFailed, match="gave no Actor but: 3"):
        await system.spawn(lambda: 3, "three")  # type: ignore[arg-type, return-value]


async def test_a_log_that_can_not_be_written_keeps_nobody_in_the_dark(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RT-09 The supervisor hears of the failure all the same; the loop hears of the log's."""

    def fail(*_arguments: object) -> None:
        raise BrokenPipeError("log")

    reported: list[BaseException | None] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: reported.append(context.get("exception")))
    await system.spawn(lambda: Supervisor([child("a", Notebook)], backoff=NO_WAIT), "root")
    with monkeypatch.context() as patch:
        patch.setattr(system, "log_failure", fail)
        system.ref("root/a").tell(Boom(KeyError("x")))
        await quiet()
    assert system.tree()[0].children[0].restarts == 1
    loop.set_exception_handler(before)
    assert [type(error) for error in reported] == [BrokenPipeError]


async def test_an_actors_task_that_a_stranger_cancels_was_killed(system: System) -> None:
    """RT-14 As at the loop's end; the supervisor starts it anew, or ends too."""
    failures: list[ActorFailed] = []
    system.events.subscribe(failures.append, ActorFailed)
    await system.spawn(lambda: Supervisor([child("a", Notebook)], backoff=NO_WAIT), "root")
    task = cell_of(system, "root/a").task
    assert task is not None
    task.cancel()
    await quiet()
    assert [failure.error for failure in failures] == ["killed"]
    assert system.tree()[0].children[0].restarts == 1
