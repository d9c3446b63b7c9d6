"""The event bus and dead letters: they hold up nobody, and grow without end for nobody."""

from __future__ import annotations

import asyncio
from functools import partial

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
from failsoft.supervisors import NO_WAIT, Supervisor, child

from .sample_actors import Boom, Note, Notebook, Noted, quiet

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


async def test_a_subscriber_is_spared_what_it_does_not_want(system: System) -> None:
    """RT-23 Where nobody else wants it either, it isn't made."""
    some: list[Event] = []
    system.events.subscribe(some.append, but=(ActorStarted, ActorStopping))
    assert not system.events.hears(ActorStarted)
    ref = await system.spawn(Notebook, "a")
    await system.stop(ref)
    assert [type(event) for event in some] == [ActorStopped]
    assert system.events.published == 1


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


async def test_an_error_of_a_subscriber_reaches_no_handler_and_no_asker(system: System) -> None:
    """RT-23 Not even a cancellation that it came upon: nobody has cancelled who publishes."""
    over = asyncio.get_running_loop().create_future()
    over.cancel()
    system.events.subscribe(lambda _event: over.result(), ActorFailed)
    root = await system.spawn(lambda: Supervisor([child("a", Notebook)], backoff=NO_WAIT), "root")
    with pytest.raises(KeyError):
        await system.ref("root/a").ask(Boom(KeyError("asked for")))
    await quiet()
    assert system.events.subscribers == 0
    assert await system.ref("root/a").ask(Noted()) == []
    assert root.is_alive


async def test_subscribers_that_raise_at_each_other_are_each_dropped_once(system: System) -> None:
    """RT-23 That one was dropped is an event, which the next one raises at."""
    calls = dict.fromkeys("abc", 0)

    def fail(name: str, event: Event) -> None:
        calls[name] += 1
        raise KeyError(name, event)

    for name in calls:
        system.events.subscribe(partial(fail, name))
    with capture_logs() as logs:
        await system.spawn(Notebook, "a")
    assert calls == {"a": 1, "b": 1, "c": 1}
    assert len([line for line in logs if line["event"] == "subscriber.dropped"]) == 3
    assert not system.events.is_heard


async def test_those_after_a_subscriber_that_raises_hear_the_event_too(system: System) -> None:
    """RT-23 Though it was in its midst that one was dropped."""
    heard: list[str] = []
    system.events.subscribe(lambda event: heard.append(f"1 {type(event).__name__}"))
    system.events.subscribe(lambda event: [][len(heard)], ActorStarted)
    system.events.subscribe(lambda event: heard.append(f"2 {type(event).__name__}"))
    await system.spawn(Notebook, "a")
    assert [entry for entry in heard if "Started" in entry] == ["1 ActorStarted", "2 ActorStarted"]
    assert sorted(entry for entry in heard if "Dropped" in entry) == [
        "1 SubscriberDropped",
        "2 SubscriberDropped",
    ]


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


async def test_a_subscriber_may_cancel_itself_while_it_is_called(system: System) -> None:
    """RT-23 It hears that event alone; those after it miss nothing."""
    once: list[Event] = []
    every: list[Event] = []

    def hear(event: Event) -> None:
        once.append(event)
        mine.cancel()
        mine.cancel()

    mine = system.events.subscribe(hear)
    system.events.subscribe(every.append)
    with capture_logs() as logs:
        await system.spawn(Notebook, "a")
        await system.spawn(Notebook, "b")
    assert [event.path for event in once] == ["a"]
    assert [event.path for event in every] == ["a", "b"]
    assert logs == []


async def test_a_subscriber_may_cancel_one_before_it(system: System) -> None:
    """RT-23 Nobody is called twice or left out for that."""
    calls: list[str] = []

    def hear(name: str, _event: Event) -> None:
        calls.append(name)
        if name == "b":
            subscriptions["a"].cancel()

    subscriptions = {name: system.events.subscribe(partial(hear, name)) for name in "abc"}
    await system.spawn(Notebook, "1")
    await system.spawn(Notebook, "2")
    assert calls == ["a", "b", "c", "b", "c"]


async def test_who_subscribes_while_an_event_is_told_hears_the_next_one(system: System) -> None:
    """RT-23 Each time anew: it never ends in a round of its own."""
    heard: list[tuple[int, str]] = []

    def hear(number: int, event: Event) -> None:
        heard.append((number, event.path))
        if number == 0:
            system.events.subscribe(partial(hear, len(heard)))

    system.events.subscribe(partial(hear, 0))
    await system.spawn(Notebook, "a")
    assert heard == [(0, "a")]
    await system.spawn(Notebook, "b")
    assert heard == [(0, "a"), (0, "b"), (1, "b")]
    assert system.events.subscribers == 3


async def test_a_full_subscriber_that_hears_again_may_subscribe_again(system: System) -> None:
    """RT-23 It was dropped with all that it had heard in its mailbox; the rest goes on without."""
    listener = Listener()
    ref = await system.spawn(lambda: listener, "listener")
    others: list[Event] = []
    system.events.subscribe(ref, ActorStarted)
    system.events.subscribe(others.append, ActorStarted, SubscriberDropped)
    for number in range(5):
        await system.spawn(Notebook, f"a{number}")
    dropped = [event for event in others if isinstance(event, SubscriberDropped)]
    assert [event.reason.partition(":")[0] for event in dropped] == ["MailboxFull"]
    assert len(others) == 6
    await asyncio.sleep(100)
    system.events.subscribe(ref, ActorStarted)
    await system.spawn(Notebook, "again")
    await quiet()
    assert [event.path for event in listener.heard] == ["a0", "a1", "a2", "again"]


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


async def test_without_a_subscriber_to_its_kind_no_event_is_made(system: System) -> None:
    """RT-23 Others may listen to something else; who comes and goes is heeded at once."""
    told: list[Event] = []
    other = system.events.subscribe(told.append, DeadLettered)
    assert not system.events.hears(ActorStarted)
    await system.spawn(Notebook, "a")
    assert system.events.published == 0
    all_of_them = system.events.subscribe(told.append)
    assert system.events.hears(ActorStarted)
    await system.spawn(Notebook, "b")
    assert [type(event) for event in told] == [ActorStarted]
    all_of_them.cancel()
    other.cancel()
    assert not system.events.hears(ActorStarted)
    await system.spawn(Notebook, "c")
    assert len(told) == 1


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
