"""The event bus and dead letters: they hold up nobody, and grow without end for nobody."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from failsoft.actors import Actor, Overflow, System, handles
from failsoft.actors.dead_letters import KEPT
from failsoft.messages.events import (
    ActorFailed,
    ActorStarted,
    ActorStopped,
    ActorStopping,
    DeadLettered,
    Event,
    SubscriberDropped,
)

from .sample_actors import Note, Notebook, quiet

pytestmark = pytest.mark.anyio


async def test_a_subscriber_gets_the_kinds_it_asked_for(system: System) -> None:
    """RT-23 A base type stands for all that derive from it."""
    some: list[Event] = []
    every: list[Event] = []
    system.events.subscribe(some.append, ActorStopped, ActorFailed)
    system.events.subscribe(every.append)
    ref = await system.spawn(Notebook, "a")
    await system.stop(ref)
    assert [type(event) for event in some] == [ActorStopped]
    assert [type(event) for event in every] == [ActorStarted, ActorStopping, ActorStopped]
    assert {event.path for event in every} == {"a"}


async def test_a_subscriber_that_raises_is_dropped_and_nobody_else_is_hurt(
    system: System,
) -> None:
    """RT-23 It is logged, and told to the others; the publisher doesn't notice."""
    calls: list[Event] = []
    others: list[Event] = []

    def fail(event: Event) -> None:
        calls.append(event)
        raise KeyError("subscriber")

    system.events.subscribe(fail)
    system.events.subscribe(others.append)
    with capture_logs() as logs:
        await system.spawn(Notebook, "a")
        await system.spawn(Notebook, "b")
    assert len(calls) == 1
    assert [type(event) for event in others] == [SubscriberDropped, ActorStarted, ActorStarted]
    dropped = [line for line in logs if line["event"] == "subscriber.dropped"]
    assert [line["reason"] for line in dropped] == ["KeyError: 'subscriber'"]


class Listener(Actor):
    mailbox_bound = 2

    def __init__(self) -> None:
        self.heard: list[Event] = []

    @handles(ActorStarted)
    async def on_event(self, event: ActorStarted) -> None:
        self.heard.append(event)
        await asyncio.sleep(10)


async def test_a_slow_subscriber_delays_nobody_and_is_dropped_when_it_is_full(
    system: System,
) -> None:
    """RT-23 No time passes for those who publish."""
    listener = Listener()
    ref = await system.spawn(lambda: listener, "listener")
    system.events.subscribe(ref, ActorStarted)
    with capture_logs() as logs:
        for number in range(6):
            await system.spawn(Notebook, f"a{number}")
    assert system.clock.now() == 0
    assert not system.events.is_heard
    assert len([line for line in logs if line["event"] == "subscriber.dropped"]) == 1
    await asyncio.sleep(100)
    assert [event.path for event in listener.heard] == ["a0", "a1", "a2"]


async def test_a_subscriber_may_rather_miss_some(system: System) -> None:
    """RT-23 Its mailbox's policy holds; what it misses is counted, and makes no more events."""

    class Lossy(Listener):
        overflow = Overflow.DROP_OLDEST

    listener = Lossy()
    everything: list[Event] = []
    ref = await system.spawn(lambda: listener, "listener")
    system.events.subscribe(ref, ActorStarted)
    system.events.subscribe(everything.append, DeadLettered)
    for number in range(6):
        await system.spawn(Notebook, f"a{number}")
    assert system.events.is_heard
    assert system.dead_letters.counts() == {"drop_oldest": 3}
    assert everything == []


async def test_a_cancelled_subscription_hears_nothing_more(system: System) -> None:
    """RT-23 Not even the event in the midst of which it was cancelled."""
    heard: list[Event] = []
    system.events.subscribe(lambda _event: later.cancel())
    later = system.events.subscribe(heard.append)
    await system.spawn(Notebook, "a")
    later.cancel()
    assert heard == []


async def test_a_stopped_subscriber_isnt_fed_any_more(system: System) -> None:
    """RT-23 What comes for it is a dead letter, which is no event of its own."""
    listener = Listener()
    ref = await system.spawn(lambda: listener, "listener")
    system.events.subscribe(ref, ActorStarted)
    await system.stop(ref)
    for number in range(5):
        await system.spawn(Notebook, f"a{number}")
    assert system.dead_letters.total in (0, 5)


async def test_without_a_subscriber_no_event_is_made(system: System) -> None:
    """RT-23 No cost."""
    await system.spawn(Notebook, "a")
    assert system.events.published == 0


async def test_dead_letters_are_bounded_and_counted_for_good(system: System) -> None:
    """RT-12 The last ones are kept."""
    ref = await system.spawn(Notebook, "a")
    await system.stop(ref)
    for number in range(KEPT + 10):
        ref.tell(Note(number))
    assert system.dead_letters.total == KEPT + 10
    kept = system.dead_letters.recent
    assert len(kept) == KEPT
    assert kept[0].message == Note(10)


async def test_a_dead_letter_is_an_event(system: System) -> None:
    """RT-12 With the message's type and the reason, without its content."""
    heard: list[DeadLettered] = []
    system.events.subscribe(heard.append, DeadLettered)
    ref = await system.spawn(Notebook, "a")
    await system.stop(ref)
    ref.tell(Note("secret"))
    await quiet()
    (event,) = heard
    assert (event.path, event.message_type, event.reason) == ("a", "Note", "actor stopped")
    assert "secret" not in repr(event)
