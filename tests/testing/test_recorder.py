"""The recorder: what it remembers, what it waits for, and what it says when that doesn't come."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import Actor, System
from failsoft.messages.events import ActorStarted, ActorStopped, ChildRestarted, Event
from failsoft.testing import EventNotSeen, EventRecorder

pytestmark = pytest.mark.virtual_time


def restart(system: System, path: str, restarts: int) -> None:
    system.events.publish(ChildRestarted, path, restarts=restarts)


async def test_an_event_that_has_been(system: System, events: EventRecorder) -> None:
    """It is found at once, by kind, path and fields."""
    for path, restarts in (("a", 1), ("b", 1), ("b", 2)):
        restart(system, path, restarts)
    assert (await events.wait_for(ChildRestarted)).path == "a"
    assert (await events.wait_for(ChildRestarted, path="b")).restarts == 1
    assert (await events.wait_for(ChildRestarted, restarts=2)).path == "b"
    assert (await events.wait_for(Event, path="b")).path == "b"
    assert asyncio.get_running_loop().time() == 0


async def test_an_event_to_come(system: System, events: EventRecorder) -> None:
    """The wait ends with it, and not before."""
    loop = asyncio.get_running_loop()
    loop.call_later(10, restart, system, "other", 1)
    loop.call_later(50, restart, system, "a", 1)
    found = await events.wait_for(ChildRestarted, path="a")
    assert found.at == loop.time() == 50


async def test_a_later_event(system: System, events: EventRecorder) -> None:
    """After an event, or after a mark: the same event is not found twice."""
    restart(system, "a", 1)
    first = await events.wait_for(ChildRestarted, path="a")
    mark = events.mark()
    asyncio.get_running_loop().call_later(1, restart, system, "a", 2)
    second = await events.wait_for(ChildRestarted, path="a", after=first)
    assert second.restarts == 2
    assert await events.wait_for(ChildRestarted, after=mark) is second
    assert events.of(ChildRestarted, after=first) == [second]
    assert events.of(ChildRestarted, after=second) == []


async def test_equal_events_are_two(system: System, events: EventRecorder) -> None:
    """After the first comes the second, though they are alike."""
    restart(system, "a", 1)
    restart(system, "a", 1)
    first = await events.wait_for(ChildRestarted)
    second = await events.wait_for(ChildRestarted, after=first)
    assert second == first
    assert second is not first
    assert events.of(ChildRestarted, after=second) == []


async def test_an_event_that_does_not_come(system: System, events: EventRecorder) -> None:
    """The error says what was wanted, and what did happen."""
    await system.spawn(Actor, "someone")
    with pytest.raises(EventNotSeen) as raised:
        await events.wait_for(ChildRestarted, path="a", restarts=3, within=5)
    said = str(raised.value)
    assert "no ChildRestarted(path='a', restarts=3) within 5 s" in said
    assert "0.000 ActorStarted someone incarnation=1" in said
    assert asyncio.get_running_loop().time() == 5
    with pytest.raises(EventNotSeen, match="within 60 s"):
        await events.wait_for(ActorStopped)


async def test_a_silent_system(events: EventRecorder) -> None:
    """The error says that nothing happened."""
    with pytest.raises(EventNotSeen, match="Nothing happened at all"):
        await events.wait_for(ChildRestarted)


async def test_a_wait_until_something_holds(system: System, events: EventRecorder) -> None:
    """It is looked at after each event."""
    loop = asyncio.get_running_loop()
    for second in (1, 2, 3):
        loop.call_later(second, restart, system, "a", second)
    await events.wait_until(lambda: len(events.of(ChildRestarted)) == 2)
    assert loop.time() == 2
    with pytest.raises(EventNotSeen, match="within 7 s"):
        await events.wait_until(lambda: False, within=7)


async def test_two_wait_at_once(system: System, events: EventRecorder) -> None:
    """Each for its own."""
    loop = asyncio.get_running_loop()
    for second, path in ((1, "a"), (2, "b")):
        loop.call_later(second, restart, system, path, 1)
    b, a = await asyncio.gather(
        events.wait_for(ChildRestarted, path="b"), events.wait_for(ChildRestarted, path="a")
    )
    assert (a.at, b.at) == (1, 2)


async def test_a_field_that_is_not_there(events: EventRecorder) -> None:
    """It is refused, instead of never being found."""
    with pytest.raises(TypeError, match="ChildRestarted has no field restart; it has: at, path"):
        await events.wait_for(ChildRestarted, restart=1)
    with pytest.raises(TypeError, match="no field patch"):
        events.of(ActorStarted, patch="a")


async def test_only_so_many_are_kept(system: System) -> None:
    """The oldest go, are counted, and can't be a place to look from."""
    events = EventRecorder(system, kept=2)
    restart(system, "a", 1)
    (first,) = events
    for restarts in (2, 3):
        restart(system, "a", restarts)
    assert [event.restarts for event in events.of(ChildRestarted)] == [2, 3]
    assert repr(events) == "<EventRecorder 3 heard, 1 dropped>"
    with pytest.raises(ValueError, match="forgotten"):
        events.of(ChildRestarted, after=first)
    with pytest.raises(EventNotSeen, match="after 1 more events"):
        await events.wait_for(ChildRestarted, restarts=1)
    with pytest.raises(ValueError, match="at least 1"):
        EventRecorder(system, kept=0)


async def test_a_closed_recorder_hears_no_more(system: System) -> None:
    """And the bus has nobody who listens."""
    events = EventRecorder(system)
    assert system.events.is_heard
    events.close()
    events.close()
    restart(system, "a", 1)
    assert len(events) == 0
    assert not system.events.is_heard
