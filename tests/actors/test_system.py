"""The system's block: what is in it ends with it, however it ends."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from failsoft.actors import (
    Actor,
    ExitReason,
    NameTaken,
    StartFailed,
    System,
    TreeFailed,
)
from failsoft.actors.errors import NoSuchActor
from failsoft.messages.events import ActorFailed

from .sample_actors import Boom, Busy, Note, Notebook, Work, quiet

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs")]


class Logged(Busy):
    """Write down in a common log when it ended."""

    log: list[str] = []  # noqa: RUF012  (of all of them, on purpose)

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        cls.log = []

    async def on_stop(self, reason: ExitReason) -> None:
        self.log.append(f"{self.context.path} {reason}")


async def test_the_end_of_the_block_stops_actors_in_reverse_order() -> None:
    """RT-20 The last one first."""

    class Kind(Logged):
        pass

    async with System() as system:
        for name in "abc":
            await system.spawn(Kind, name)
    assert Kind.log == ["c shutdown", "b shutdown", "a shutdown"]


async def run_until_cancelled(kind: type[Logged], in_hand: bool = False) -> None:
    async with System() as system:
        for name in "abc":
            ref = await system.spawn(kind, name)
            if in_hand:
                ref.tell(Work())
        await asyncio.Event().wait()


async def test_a_cancelled_host_task_ends_every_actor() -> None:
    """RT-20 By asyncio's own cancellation; it goes on to whoever cancelled."""

    class Kind(Logged):
        pass

    task = asyncio.ensure_future(run_until_cancelled(Kind))
    await quiet()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert Kind.log == ["c shutdown", "b shutdown", "a shutdown"]


async def test_a_cancelled_host_scope_ends_every_actor() -> None:
    """RT-20 By anyio's cancellation, which goes on cancelling until the block is left."""

    class Kind(Logged):
        pass

    with anyio.move_on_after(3) as scope:
        await run_until_cancelled(Kind)
    assert scope.cancelled_caught
    assert Kind.log == ["c shutdown", "b shutdown", "a shutdown"]


async def test_a_failing_neighbour_in_the_hosts_task_group_ends_every_actor() -> None:
    """RT-20 And its error is what the group raises."""

    class Kind(Logged):
        pass

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(run_until_cancelled(Kind))
            await quiet()
            raise KeyError("neighbour")

    with pytest.raises(ExceptionGroup) as failure:
        await run()
    assert failure.group_contains(KeyError)
    assert len(Kind.log) == 3


async def test_a_timeout_of_the_host_ends_every_actor() -> None:
    """RT-20 As a timeout, not as a cancellation."""

    class Kind(Logged):
        pass

    async def run() -> None:
        async with asyncio.timeout(3):
            await run_until_cancelled(Kind)

    with pytest.raises(TimeoutError):
        await run()
    assert len(Kind.log) == 3


@pytest.mark.parametrize("times", [2, 3, 5])
async def test_told_again_the_system_kills(times: int) -> None:
    """RT-20 A second cancellation ends the patience, and no later one leaves a task behind."""

    class Kind(Logged):
        async def on_stop(self, reason: ExitReason) -> None:
            await super().on_stop(reason)
            await asyncio.sleep(0.1)

    task = asyncio.ensure_future(run_until_cancelled(Kind, in_hand=True))
    await quiet()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(Kind.log) == ["a killed", "b killed", "c killed"]
    assert asyncio.get_running_loop().time() < 1


async def test_the_end_of_the_block_is_as_patient_as_its_actors() -> None:
    """RT-20 Each has its shutdown timeout; none has more."""

    class Kind(Logged):
        shutdown_timeout = 2

    loop = asyncio.get_running_loop()
    async with System() as system:
        for name in "abc":
            (await system.spawn(Kind, name)).tell(Work())
        await quiet()
    assert loop.time() == pytest.approx(6)
    assert Kind.log == ["c killed", "b killed", "a killed"]


async def test_an_error_in_the_block_ends_every_actor_and_goes_on() -> None:
    """RT-20 The host's own error isn't hidden."""

    class Kind(Logged):
        pass

    async def run() -> None:
        async with System() as system:
            await system.spawn(Kind, "a")
            raise KeyError("host")

    with pytest.raises(KeyError):
        await run()
    assert len(Kind.log) == 1


async def test_an_actor_that_fails_at_the_top_ends_the_block() -> None:
    """SV-06 With a word of what failed and why; the others are stopped."""

    class Kind(Logged):
        pass

    async def run() -> None:
        async with System() as system:
            await system.spawn(Kind, "a")
            ref = await system.spawn(Kind, "b")
            ref.tell(Boom(KeyError("x")))
            await asyncio.Event().wait()

    with pytest.raises(TreeFailed, match="the tree at b failed: KeyError: 'x'") as failure:
        await run()
    assert isinstance(failure.value.__cause__, KeyError)
    assert Kind.log == ["b KeyError: 'x'", "a shutdown"]


async def test_a_failure_is_raised_also_where_the_block_never_waits_again() -> None:
    """SV-06 The cancellation has no point to arrive at; the error comes all the same."""

    async def run() -> None:
        async with System() as system:
            ref = await system.spawn(Notebook, "a")
            failed = asyncio.Event()
            system.events.subscribe(lambda _event: failed.set(), ActorFailed)
            ref.tell(Boom(KeyError("x")))
            await failed.wait()

    with pytest.raises(TreeFailed):
        await run()


async def test_an_actor_that_ends_by_itself_ends_no_block() -> None:
    """SV-04 That is no failure."""
    async with System() as system:
        actor = Notebook()
        ref = await system.spawn(lambda: actor, "a")
        actor.context.exit()
        await quiet()
        assert not ref.is_alive
        await asyncio.sleep(1)


@pytest.mark.parametrize("within", [0, 1])
async def test_an_actor_that_is_killed_on_request_ends_no_block(within: float) -> None:
    """RT-14 Somebody asked for it."""
    async with System() as system:
        ref = await system.spawn(Busy, "a")
        ref.tell(Work())
        await quiet()
        await system.stop(ref, within=within)
        await asyncio.sleep(1)


async def test_a_cancelled_spawn_leaves_nothing_behind_and_ends_no_block() -> None:
    """RT-20 The half-started actor is cleaned up; its name is free again."""

    class Slow(Logged):
        async def on_start(self) -> None:
            await asyncio.sleep(1000)

    async with System() as system:
        with anyio.move_on_after(1) as scope:
            await system.spawn(Slow, "a")
        assert scope.cancelled_caught
        assert Slow.log == ["a killed"]
        assert system.tree() == ()
        await system.spawn(Notebook, "a")


async def test_a_spawn_that_fails_says_why() -> None:
    """SV-08 The cause is chained; on_stop is called for what on_start had begun."""

    class Failing(Logged):
        async def on_start(self) -> None:
            raise KeyError("start")

    async with System() as system:
        with pytest.raises(StartFailed, match="a could not be started: KeyError: 'start'") as error:
            await system.spawn(Failing, "a")
        assert isinstance(error.value.__cause__, KeyError)
        assert Failing.log == ["a KeyError: 'start'"]
        assert system.tree() == ()


async def test_a_closing_system_takes_no_new_actors() -> None:
    """RT-20 The one who tries is told so."""
    raised: list[RuntimeError] = []

    class Late(Actor):
        async def on_stop(self, reason: ExitReason) -> None:
            with pytest.raises(RuntimeError, match="closing") as error:
                await self.context.system.spawn(Notebook, "late")
            raised.append(error.value)

    async with System() as system:
        await system.spawn(Late, "a")
    assert len(raised) == 1


async def test_a_child_that_is_spawned_at_the_last_moment_ends_too() -> None:
    """RT-20 What is made in on_stop doesn't outlive it."""

    class Late(Logged):
        async def on_stop(self, reason: ExitReason) -> None:
            if self.context.parent is None:
                self.context.spawn(Late, "child")
                await quiet()
            await super().on_stop(reason)

    async with System() as system:
        await system.spawn(Late, "a")
    assert Late.log == ["a shutdown", "a/child shutdown"]


async def test_a_name_is_taken_once_and_free_again() -> None:
    """RT-19 Paths are unique among the living."""
    async with System() as system:
        ref = await system.spawn(Notebook, "a")
        with pytest.raises(NameTaken, match="already"):
            await system.spawn(Notebook, "a")
        with pytest.raises(ValueError, match="slash"):
            await system.spawn(Notebook, "a/b")
        await system.stop(ref)
        again = await system.spawn(Notebook, "a")
        assert again != ref
        assert system.find("a") == again
        with pytest.raises(NoSuchActor, match="there is: a"):
            system.ref("b")


async def test_stop_is_for_the_top_of_the_tree() -> None:
    """RT-14 What a supervisor started, a supervisor stops."""

    class Parent(Notebook):
        async def on_start(self) -> None:
            self.context.spawn(Notebook, "child")

    async with System() as system:
        await system.spawn(Parent, "a")
        await quiet()
        child = system.ref("a/child")
        with pytest.raises(ValueError, match="not at the top"):
            await system.stop(child)
        await system.stop(system.ref("a"))
        await system.stop(child)  # it has ended already


async def test_extensions_are_closed_after_the_actors_each_of_them() -> None:
    """RT-20 The last one first, and also where another one fails to close."""
    closed: list[str] = []

    class Kind(Logged):
        async def on_stop(self, reason: ExitReason) -> None:
            closed.append("actor")

    class First:
        async def aclose(self) -> None:
            closed.append("first")

    class Second:
        async def aclose(self) -> None:
            closed.append("second")
            raise KeyError("close")

    async def run() -> None:
        async with System() as system:
            assert system.extension(First) is system.extension(First)
            system.extension(Second)
            await system.spawn(Kind, "a")

    with pytest.raises(KeyError, match="close"):
        await run()
    assert closed == ["actor", "second", "first"]


async def test_two_systems_are_apart() -> None:
    """RT-19 The same path in each; one ends without the other."""
    async with System() as outer:
        async with System() as inner:
            await outer.spawn(Notebook, "a")
            ref = await inner.spawn(Notebook, "a")
            assert outer.find("a") != ref
        assert not ref.is_alive
        assert outer.ref("a").is_alive


async def test_a_picture_of_the_tree_survives_an_actor_that_can_not_show_itself() -> None:
    """RT-14 The others are shown, and its error."""

    class Blurred(Notebook):
        def inspect(self) -> dict[str, object]:
            raise KeyError("inspect")

    async with System() as system:
        await system.spawn(Blurred, "a")
        ref = await system.spawn(Notebook, "b")
        ref.tell(Note(1))
        await quiet()
        first, second = system.tree()
        assert first.shows == {"inspect_failed": "KeyError: 'inspect'"}
        assert (second.state, second.handled, second.restarts) == ("running", 1, 0)
