"""How messages come in: order, one at a time, control first, in the sender's context."""

from __future__ import annotations

import asyncio
import contextvars
import functools

import pytest

from failsoft.actors import (
    Actor,
    Ping,
    System,
    UnknownMessage,
    bind_correlation_id,
    current_correlation_id,
    handles,
)
from failsoft.messages import Request

from .sample_actors import Busy, Interleaving, Note, Notebook, Noted, Urgent, Work, quiet

pytestmark = pytest.mark.anyio


async def test_one_senders_messages_are_handled_in_order(system: System) -> None:
    """RT-01 As they were told, so they are handled."""
    ref = await system.spawn(Notebook, "notebook")
    for number in range(900):
        ref.tell(Note(number))
    assert await ref.ask(Noted()) == list(range(900))


async def test_each_of_many_senders_has_its_order_kept(system: System) -> None:
    """RT-01 Whatever others send in between."""
    ref = await system.spawn(Notebook, "notebook")

    async def send(sender: int) -> None:
        for number in range(40):
            ref.tell(Note((sender, number)))
            if number % (sender + 1) == 0:
                await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        for sender in range(20):
            group.create_task(send(sender))
    notes = await ref.ask(Noted())
    assert len(notes) == 800
    for sender in range(20):
        assert [n for s, n in notes if s == sender] == list(range(40))


async def test_two_messages_never_run_at_once(system: System) -> None:
    """RT-02 The second waits until the first is done, whatever that awaits."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    async with asyncio.TaskGroup() as group:
        group.create_task(ref.ask(Work("a")))
        group.create_task(ref.ask(Work("b")))
        await quiet()
        assert actor.notes == ["start a"]
        actor.gate.set()
    assert actor.notes == ["start a", "end a", "start b", "end b"]


async def test_interleaving_handlers_are_bounded_and_the_rest_waits(system: System) -> None:
    """RT-02 Only where the handler says so, and only so many at once."""
    actor = Interleaving()
    ref = await system.spawn(lambda: actor, "busy")
    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(ref.ask(Work(name)))
        await quiet()
        assert actor.notes == ["start a", "start b"]
        assert system.tree()[0].work_depth == 1
        actor.gate.set()
    assert sorted(actor.notes) == sorted(f"{w} {n}" for w in ("start", "end") for n in "abc")


async def test_control_is_handled_before_a_full_work_lane(system: System) -> None:
    """RT-04 A ping is answered, and other control handled, next after the message in hand."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "busy")
    async with asyncio.TaskGroup() as group:
        group.create_task(ref.ask(Work()))
        await actor.started.wait()
        for number in range(actor.mailbox_bound):
            ref.tell(Note(number))
        pinged = group.create_task(ref.ask(Ping()))
        ref.tell(Urgent("now"))
        await quiet()
        actor.gate.set()
        await pinged
        assert actor.notes[:3] == ["start work", "end work", "now"]


async def test_stop_outruns_a_full_work_lane(system: System) -> None:
    """RT-04 What waits is buried, not worked off first."""
    ref = await system.spawn(Notebook, "notebook")
    for number in range(1000):
        ref.tell(Note(number))
    await system.stop(ref)
    assert system.dead_letters.total > 900


async def test_an_actor_with_much_to_do_lets_others_have_a_turn(system: System) -> None:
    """RT-04 A long mailbox is worked off in bursts."""
    ref = await system.spawn(Notebook, "notebook")
    for number in range(1000):
        ref.tell(Note(number))
    turns = 0
    while system.tree()[0].work_depth:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 10


class Who(Request["tuple[str | None, str]"], frozen=True):
    """Ask which correlation id and which variable the handler sees."""


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


class Seer(Actor):
    @handles(Who)
    async def who(self, _message: Who) -> tuple[str | None, str]:
        await asyncio.sleep(0)
        seen = current_correlation_id(), variable.get()
        variable.set("set by the handler")
        return seen


class PlainSeer(Actor):
    @handles(Who)
    def who(self, _message: Who) -> tuple[str | None, str]:
        seen = current_correlation_id(), variable.get()
        variable.set("set by the handler")
        return seen


class InterleavingSeer(Seer):
    @handles(Who, interleave=True)
    async def who(self, message: Who) -> tuple[str | None, str]:
        return await super().who(message)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", [Seer, PlainSeer, InterleavingSeer])
async def test_a_handler_sees_its_senders_context_and_no_other(
    system: System, kind: type[Actor]
) -> None:
    """RT-24 What the sender bound, the next message doesn't see; nor what the handler bound."""
    ref = await system.spawn(kind, "seer")

    async def ask_as(id: str) -> tuple[str | None, str]:
        bind_correlation_id(id)
        variable.set(f"set by {id}")
        return await ref.ask(Who())

    first = await asyncio.create_task(ask_as("one"))
    second = await ref.ask(Who())
    assert first == ("one", "set by one")
    assert second == (None, "unset")
    assert variable.get() == "unset"


async def test_an_actor_doesnt_see_the_context_of_who_spawned_it(system: System) -> None:
    """RT-24 The tree's own work belongs to no request."""
    seen = []

    class Child(Actor):
        async def on_start(self) -> None:
            seen.append(current_correlation_id())

    async def spawn() -> None:
        bind_correlation_id("a request")
        await system.spawn(Child, "child")

    await asyncio.create_task(spawn())
    assert seen == [None]


async def test_an_empty_context_is_a_context_too(system: System) -> None:
    """RT-24 A sender that has bound nothing at all lends nothing of the actor's own either."""

    class Starter(PlainSeer):
        async def on_start(self) -> None:
            variable.set("set by on_start")

    ref = await system.spawn(Starter, "seer")
    empty = contextvars.Context()
    asked = asyncio.get_running_loop().create_task(ref.ask(Who()), context=empty)
    assert await asked == (None, "unset")


async def test_an_unknown_message_is_refused_where_it_is_sent(system: System) -> None:
    """The error names the handlers that there are."""
    ref = await system.spawn(Notebook, "notebook")
    with pytest.raises(UnknownMessage, match=r"no @handles\(Work\) handler; it has: Boom, Note"):
        ref.tell(Work())


async def test_an_unknown_message_sent_before_the_start_is_a_dead_letter(system: System) -> None:
    """A child's handlers aren't known before its first step; what comes by then isn't lost."""

    class Parent(Actor):
        async def on_start(self) -> None:
            self.context.spawn(Notebook, "child").tell(Work())

    await system.spawn(Parent, "parent")
    await quiet()
    assert system.dead_letters.counts() == {"no handler": 1}


async def test_the_mailbox_is_bounded_as_the_class_says_however_it_is_made(
    system: System,
) -> None:
    """RT-03 A partial, a lambda or the class: the bound is the actor's."""

    class Small(Notebook):
        mailbox_bound = 2

    for name, factory in (("a", Small), ("b", functools.partial(Small)), ("c", lambda: Small())):
        ref = await system.spawn(factory, name)
        assert ref.address.mailbox.bound == 2
