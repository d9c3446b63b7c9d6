"""Timers: on time, without drift, and no longer than the incarnation that set them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from failsoft.actors import (
    Actor,
    System,
    UnknownMessage,
    bind_correlation_id,
    current_correlation_id,
    current_deadline,
    handles,
)
from failsoft.messages import Message, Request
from failsoft.supervisors import NO_WAIT, Supervisor, child

from .sample_actors import Boom, Note, Notebook, Noted, Work, quiet

pytestmark = pytest.mark.anyio


class Timed(Notebook):
    """Write down when each note came."""

    @handles(Note)
    def note(self, message: Note) -> None:
        self.notes.append((message.value, self.context.clock.now()))


async def start(system: System) -> Timed:
    actor = Timed()
    await system.spawn(lambda: actor, "timed")
    return actor


async def test_send_after_fires_once(system: System) -> None:
    """RT-15 On time."""
    actor = await start(system)
    actor.context.send_after(3, Note("once"))
    await asyncio.sleep(100)
    assert actor.notes == [("once", 3)]


async def test_send_every_keeps_its_period(system: System) -> None:
    """RT-15 Lateness doesn't add up, whatever the handler takes."""
    actor = await start(system)
    actor.context.send_every(0.1, Note("tick"))
    await asyncio.sleep(100.05)
    times = [time for _, time in actor.notes]
    assert len(times) == 1000
    assert times[-1] == pytest.approx(100)


async def test_send_every_skips_periods_that_were_missed(system: System) -> None:
    """RT-15 After a long block, it doesn't send all at once what is no longer wanted."""

    class Late:
        """Be a clock whose callbacks come when the test says so."""

        time = 0.0
        callback: Callable[[], object] | None = None

        def now(self) -> float:
            return self.time

        def call_at(self, when: float, callback: Callable[[], object]) -> Late:
            self.when, self.callback = when, callback
            return self

        def cancel(self) -> None:
            self.callback = None

    clock = Late()
    actor = await start(system)
    cell = actor.context._cell
    cell.clock = clock
    actor.context.send_every(1, Note("tick"))
    clock.time = 5.5
    assert clock.callback is not None
    clock.callback()
    await quiet()
    assert len(actor.notes) == 1
    assert clock.when == 6


async def test_a_cancelled_timer_stays_silent(system: System) -> None:
    """RT-15 Cancelled before it fires, and between two periods."""
    actor = await start(system)
    once = actor.context.send_after(3, Note("once"))
    often = actor.context.send_every(1, Note("often"))
    once.cancel()
    once.cancel()
    await asyncio.sleep(2.5)
    often.cancel()
    await asyncio.sleep(100)
    assert actor.notes == [("often", 1), ("often", 2)]


async def test_timers_die_with_the_actor(system: System) -> None:
    """RT-15 And leave nothing in the loop that would keep it going."""
    actor = await start(system)
    actor.context.send_after(3, Note("once"))
    actor.context.send_every(1, Note("often"))
    await system.stop(actor.context.ref)
    await asyncio.sleep(100)
    assert actor.notes == []
    assert system.dead_letters.total == 0


async def test_timers_die_on_restart(system: System) -> None:
    """RT-15 The next incarnation sets its own, and gets no message of the old ones."""
    actors: list[Timed] = []

    def make() -> Timed:
        actors.append(Timed())
        return actors[-1]

    await system.spawn(lambda: Supervisor([child("timed", make)], backoff=NO_WAIT), "root")
    actors[0].context.send_every(1, Note("old"))
    system.ref("root/timed").tell(Boom(KeyError("x")))
    await quiet()
    actors[1].context.send_after(5, Note("new"))
    await asyncio.sleep(100)
    assert actors[0].notes == []
    assert [value for value, _ in actors[1].notes] == ["new"]


async def test_an_ended_incarnation_can_neither_set_timers_nor_act(system: System) -> None:
    """RT-15 Whoever still holds its context, a callback say, can't harm the next one by it."""
    actors: list[Timed] = []

    def make() -> Timed:
        actors.append(Timed())
        return actors[-1]

    await system.spawn(lambda: Supervisor([child("timed", make)], backoff=NO_WAIT), "root")
    ref = system.ref("root/timed")
    ref.tell(Boom(KeyError("x")))
    await quiet()
    old = actors[0].context
    with pytest.raises(RuntimeError, match="has ended"):
        old.send_after(1, Note("old"))
    with pytest.raises(RuntimeError, match="has ended"):
        old.spawn(Notebook, "child")
    old.crash(KeyError("late"))
    old.exit()
    old.set_ready(False)
    old.watch(ref)
    await quiet()
    assert await ref.ask(Noted()) == []
    assert len(actors) == 2
    assert system.tree()[0].children[0].is_ready


async def test_a_timers_message_has_no_deadline_of_the_request_that_set_it(
    system: System,
) -> None:
    """RT-15 But its correlation id: it is that request's later work, not a part of it."""

    class Later(Message, frozen=True):
        pass

    class Start(Request[None], frozen=True):
        pass

    seen: list[tuple[float, str | None]] = []

    class Delaying(Actor):
        @handles(Start)
        def start(self, _message: Start) -> None:
            self.context.send_every(10, Later())

        @handles(Later)
        def later(self, _message: Later) -> None:
            seen.append((current_deadline(), current_correlation_id()))

    ref = await system.spawn(Delaying, "delaying")

    async def ask() -> None:
        bind_correlation_id("request")
        await ref.ask(Start(), timeout=5)

    await asyncio.create_task(ask())
    await asyncio.sleep(25)
    assert seen == [(float("inf"), "request")] * 2


async def test_a_timer_for_an_unknown_message_is_refused_at_once(system: System) -> None:
    """RT-15 Not when it fires and nobody is there to be told."""
    actor = await start(system)
    with pytest.raises(UnknownMessage):
        actor.context.send_after(1, Work())
    with pytest.raises(ValueError, match="at least 0 s"):
        actor.context.send_after(-1, Note(1))
    with pytest.raises(ValueError, match="over 0 s"):
        actor.context.send_every(0, Note(1))


async def test_call_after_that_raises_is_the_loops_to_report(system: System) -> None:
    """RT-15 And it takes no other timer with it."""
    actor = await start(system)
    loop = asyncio.get_running_loop()
    reported: list[BaseException | None] = []
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: reported.append(context.get("exception")))

    def fail() -> None:
        raise KeyError("callback")

    actor.context.call_after(1, fail)
    actor.context.send_after(1, Note("other"))
    await asyncio.sleep(2)
    loop.set_exception_handler(before)
    assert [type(error) for error in reported] == [KeyError]
    assert actor.notes == [("other", 1)]
