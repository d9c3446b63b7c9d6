"""The events of a tree, replayed, give the tree as it is."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import System
from failsoft.messages.events import Event
from failsoft.supervisors import (
    ActorView,
    Backoff,
    Replay,
    RestartChild,
    TerminateChild,
    replayed,
    supervisor,
)

from .family import Fail, Family, Finish, quiet

pytestmark = pytest.mark.anyio

TEN = Backoff(10, jitter=False)


def shown(system: System) -> dict[str, tuple[str, float | None]]:
    nodes = [node for top in system.tree() for node in top.walk()]
    return {node.path: (node.state, node.waiting_until) for node in nodes}


def told(events: list[Event]) -> dict[str, tuple[str, float | None]]:
    return {path: (view.state, view.waiting_until) for path, view in replayed(events).items()}


async def test_each_moment_of_a_restart_is_told(system: System, events: list[Event]) -> None:
    """SV-22 One that takes its time to stop and to start, and siblings that wait with it."""
    family = Family(system)
    start = family.supervisor("abc", "one_for_all", backoff=TEN)
    root = await system.spawn(start, "root")
    family.stops_in = dict.fromkeys("abc", 1.0)
    family.starts_in = dict.fromkeys("abc", 1.0)
    family.tell("b", Fail("broken"))
    await asyncio.sleep(0.25)  # to look between what happens, at whole seconds
    seen = []
    for _ in range(34):
        await asyncio.sleep(0.5)
        assert told(events) == shown(system)
        seen.append(" ".join(state for state, _ in shown(system).values()))
    states = list(dict.fromkeys(seen))
    assert states == [
        "running running stopping running",
        "running running down stopping",
        "running stopping down down",
        "running down down down",
        "running starting down down",
        "running running starting down",
        "running running running starting",
        "running running running running",
    ]
    await system.stop(root)
    assert told(events) == shown(system) == {}


async def test_the_wait_of_a_group_is_told_of_each(system: System, events: list[Event]) -> None:
    """SV-22 system.tree() says until when, and so do the events."""
    family = Family(system)
    root = await system.spawn(family.supervisor("abcd", "rest_for_one", backoff=TEN), "root")
    family.tell("c", Fail("broken"))
    await quiet()
    assert shown(system) == {
        "root": ("running", None),
        "root/a": ("running", None),
        "root/b": ("running", None),
        "root/c": ("down", 10.0),
        "root/d": ("down", 10.0),
    }
    view = replayed(events)["root/c"]
    assert view == ActorView("down", 1, 10.0, 1, "KeyError: 'broken'")
    family.stops_in = {"b": 1}
    family.tell("a", Fail())
    await quiet()
    assert told(events) == shown(system)
    assert shown(system)["root/c"] == ("down", None)  # b is waited for first
    await asyncio.sleep(2)
    assert told(events) == shown(system)
    await root.ask(TerminateChild("b"))
    assert told(events) == shown(system)
    await asyncio.sleep(50)
    assert told(events) == shown(system)
    await root.ask(RestartChild("b"))
    assert told(events) == shown(system)


async def test_what_is_below_a_supervisor_goes_with_it(system: System, events: list[Event]) -> None:
    """SV-22 And comes back with it."""
    family = Family(system)
    inner = supervisor("inner", family.spec("x"), family.spec("y", "temporary"))
    start = family.supervisor([inner, family.spec("b")], "one_for_all", backoff=TEN)
    await system.spawn(start, "root")
    replay = Replay()
    for event in events:
        replay.hear(event)
    system.events.subscribe(replay.hear)
    family.tell("inner/y", Finish())
    family.tell("b", Fail())
    await quiet()
    assert set(replay.actors) == {"root", "root/inner", "root/b"}
    await asyncio.sleep(20)
    assert set(replay.actors) == {"root", "root/inner", "root/inner/x", "root/inner/y", "root/b"}
    assert replay.actors["root/inner"].incarnation == 2
    assert told(events) == shown(system)


async def test_a_group_waits_also_for_one_that_is_gone(system: System, events: list[Event]) -> None:
    """SV-22 SV-17 Its cause was terminated while the others were being stopped."""
    family = Family(system)
    root = await system.spawn(family.supervisor("abc", "one_for_all", backoff=TEN), "root")
    family.stops_in = {"c": 1}
    family.tell("b", Fail())
    await quiet()
    await root.ask(TerminateChild("b"))
    await asyncio.sleep(5)
    assert shown(system) == {
        "root": ("running", None),
        "root/a": ("down", 11.0),
        "root/c": ("down", 11.0),
    }
    assert told(events) == shown(system)
