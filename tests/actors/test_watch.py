"""Watching: one word when an actor has ended for good, and only then."""

from __future__ import annotations

import asyncio
import functools

import pytest

from failsoft.actors import KILLED, SHUTDOWN, Ref, System, Terminated, handles
from failsoft.supervisors import NO_WAIT, Supervisor, child

from .sample_actors import Boom, Busy, Notebook, Work, quiet

pytestmark = pytest.mark.anyio


class Watcher(Notebook):
    """Write down who ended, and why."""

    @handles(Terminated)
    def terminated(self, message: Terminated) -> None:
        self.notes.append((message.ref.path, message.reason))

    def watch(self, ref: Ref, times: int = 1) -> None:
        for _ in range(times):
            self.context.watch(ref)


async def start(system: System) -> tuple[Watcher, Ref]:
    watcher = Watcher()
    await system.spawn(lambda: watcher, "watcher")
    return watcher, await system.spawn(Notebook, "watched")


@pytest.mark.parametrize("times", [1, 2])
async def test_one_word_comes_when_the_watched_actor_ends(system: System, times: int) -> None:
    """RT-13 One, however often it is watched; with the reason."""
    watcher, watched = await start(system)
    watcher.watch(watched, times)
    await quiet()
    assert watcher.notes == []
    await system.stop(watched)
    await quiet()
    assert watcher.notes == [("watched", SHUTDOWN)]


async def test_a_dead_actor_is_told_of_at_once(system: System) -> None:
    """RT-13 It is never too late to watch."""
    watcher, watched = await start(system)
    await system.stop(watched, within=0)
    watcher.watch(watched)
    await quiet()
    assert watcher.notes == [("watched", KILLED)]


async def test_after_unwatch_none_comes(system: System) -> None:
    """RT-13 Nobody is told who doesn't want to be."""
    watcher, watched = await start(system)
    watcher.watch(watched)
    watcher.context.unwatch(watched)
    await system.stop(watched)
    await quiet()
    assert watcher.notes == []


async def test_unwatch_calls_back_a_word_that_was_on_its_way(system: System) -> None:
    """RT-13 What waits in the mailbox isn't wanted any more either."""

    class Busily(Watcher, Busy):
        @handles(Work)
        async def work(self, message: Work) -> str:
            await self.gate.wait()
            self.context.unwatch(watched)
            return message.name

    watcher = Busily()
    ref = await system.spawn(lambda: watcher, "watcher")
    watched = await system.spawn(Notebook, "watched")
    watcher.watch(watched)
    asked = asyncio.ensure_future(ref.ask(Work()))
    await quiet()
    await system.stop(watched)
    assert system.tree()[0].control_depth == 1
    watcher.gate.set()
    await asked
    await quiet()
    assert watcher.notes == []


async def test_a_restart_is_no_end(system: System) -> None:
    """RT-13 The watched actor failed, and its ref is as good as before."""
    watcher = Watcher()
    await system.spawn(lambda: watcher, "watcher")
    root = await system.spawn(
        lambda: Supervisor([child("watched", Notebook)], backoff=NO_WAIT), "root"
    )
    watched = system.ref("root/watched")
    watcher.watch(watched)
    watched.tell(Boom(KeyError("x")))
    await quiet()
    assert watcher.notes == []
    assert system.tree()[1].children[0].restarts == 1
    await system.stop(root)
    await quiet()
    assert watcher.notes == [("root/watched", SHUTDOWN)]


async def test_a_watch_ends_with_the_incarnation(system: System) -> None:
    """RT-13 The next one watches again where it wants to, and gets one word then too."""
    watchers: list[Watcher] = []

    class Again(Watcher):
        async def on_start(self) -> None:
            watchers.append(self)
            self.context.watch(watched)

    watched = await system.spawn(Notebook, "watched")
    await system.spawn(lambda: Supervisor([child("watcher", Again)], backoff=NO_WAIT), "root")
    # It fails with the word of the end already in its mailbox.
    ref = system.ref("root/watcher")
    stopping = asyncio.ensure_future(system.stop(watched))
    await stopping
    ref.tell(Boom(KeyError("x")))
    await quiet()
    assert len(watchers) == 2
    assert watchers[1].notes == [("watched", SHUTDOWN)]


def _same(watcher: Watcher) -> Watcher:
    return watcher


async def test_watchers_that_have_ended_are_forgotten(system: System) -> None:
    """RT-13 A long-lived actor doesn't gather those who once watched it; nor do they it."""
    watched = await system.spawn(Notebook, "watched")
    for number in range(10):
        watcher = Watcher()
        ref = await system.spawn(functools.partial(_same, watcher), f"watcher-{number}")
        watcher.watch(watched)
        await system.stop(ref)
    assert not watched.address._watchers

    watcher = Watcher()
    await system.spawn(lambda: watcher, "watcher")
    for _ in range(10):
        short_lived = await system.spawn(Notebook, "short-lived")
        watcher.watch(short_lived)
        await system.stop(short_lived)
    await quiet()
    assert len(watcher.notes) == 10
    assert not watcher.context._watched
