"""Cycles of asks: told at once where they are certain, ended by the deadline where they aren't."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from failsoft.actors import Actor, AskCycle, Ref, Reply, System, handles, streams
from failsoft.messages import InferenceTimeout, Message, Request, Streamed

from .sample_actors import quiet

pytestmark = pytest.mark.anyio


class Via(Request[str], frozen=True):
    """Ask the actors of ``names`` in turn, each by the one before it."""

    names: tuple[str, ...]
    timeout: float | None = None


class Beside(Via, frozen=True):
    """The same, by a handler that interleaves."""


class Owed(Via, frozen=True):
    """Be answered later."""


class Go(Message, frozen=True):
    """Have what was asked with it happen without anybody who waits."""

    request: Via


class Member(Actor):
    """Pass on what is asked; keep what went wrong."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.owed: list[Reply[str]] = []

    def to(self, message: Via) -> Ref:
        return self.context.system.ref(message.names[0])

    async def pass_on(self, message: Via) -> str:
        if not message.names:
            return self.context.path
        rest: Via = type(message)(message.names[1:], message.timeout)
        answer = await self.to(message).ask(rest, timeout=message.timeout)
        return f"{self.context.path} {answer}"

    @handles(Via)
    async def via(self, message: Via) -> str:
        return await self.pass_on(message)

    @handles(Beside, interleave=True)
    async def beside(self, message: Beside) -> str:
        return await self.pass_on(message)

    @handles(Owed)
    def later(self, message: Owed) -> Reply[str]:
        self.owed.append(self.context.defer())
        return self.owed[-1]

    @handles(Go)
    async def go(self, message: Go) -> None:
        try:
            await self.pass_on(message.request)
        except Exception as error:
            self.errors.append(error)


def give(member: Member) -> Member:
    return member


async def spawn(system: System, names: str) -> dict[str, Member]:
    members = {name: Member() for name in names}
    for name, member in members.items():
        await system.spawn(partial(give, member), name)
    return members


@pytest.mark.parametrize(
    ("names", "cycle"), [("aa", "aa"), ("aba", "bab"), ("abca", "cabc"), ("xaba", "bab")]
)
async def test_a_cycle_is_told_at_once_and_by_name(system: System, names: str, cycle: str) -> None:
    """RT-16 Of whatever length; first comes the actor whose ask closes it."""
    await spawn(system, "xabc")
    with pytest.raises(AskCycle) as error:
        await system.ref(names[0]).ask(Via(tuple(names[1:])))
    assert error.value.paths == tuple(cycle)
    assert str(error.value).startswith(f"{' → '.join(cycle)}: each waits for the answer")
    assert system.clock.now() == 0


async def test_a_chain_is_no_cycle(system: System) -> None:
    """RT-16 Each actor of it may be asked by the others at any other time."""
    await spawn(system, "abc")
    assert await system.ref("a").ask(Via(("b", "c"))) == "a b c"
    assert await system.ref("c").ask(Via(("b", "a"))) == "c b a"


async def test_nobody_fails_for_a_cycle_and_all_go_on(system: System) -> None:
    """RT-16 It is an answer, as the timeout was that it stands for."""
    await spawn(system, "ab")
    with pytest.raises(AskCycle):
        await system.ref("a").ask(Via(("b", "a")))
    assert await system.ref("a").ask(Via(("b",))) == "a b"
    assert await system.ref("b").ask(Via(("a",))) == "b a"
    await quiet()
    assert [(node.failed, node.expired, node.work_depth) for node in system.tree()] == [
        (0, 0, 0)
    ] * 2
    assert system.dead_letters.total == 0


async def test_a_cycle_that_a_tell_began(system: System) -> None:
    """RT-16 It is who waits that counts, not who asked."""
    members = await spawn(system, "ab")
    system.ref("a").tell(Go(Via(("b", "a"))))
    await quiet()
    (error,) = members["a"].errors
    assert isinstance(error, AskCycle)
    assert error.paths == ("b", "a", "b")


@pytest.mark.parametrize(("ours", "theirs"), [(5, 9), (9, 5), (5, 5)])
async def test_two_that_ask_each_other_of_their_own_accord(
    system: System, ours: float, theirs: float
) -> None:
    """RT-16 The ask whose deadline comes first ends now; then the other is answered."""
    members = await spawn(system, "ab")
    system.ref("a").tell(Go(Via(("b",), timeout=ours)))
    system.ref("b").tell(Go(Via(("a",), timeout=theirs)))
    await quiet()
    assert system.clock.now() < 1
    ended, other = ("a", "b") if ours < theirs else ("b", "a")
    assert [type(error) for error in members[ended].errors] == [AskCycle]
    assert members[other].errors == []
    assert await system.ref("a").ask(Via(())) == "a"


async def test_a_handler_that_interleaves_can_be_asked_back(system: System) -> None:
    """RT-16 There is no cycle: the actor takes the next message meanwhile."""
    await spawn(system, "ab")
    assert await system.ref("a").ask(Beside(("b", "a", "b"))) == "a b a b"


async def test_an_answer_that_needs_no_turn_makes_no_cycle(system: System) -> None:
    """RT-16 It is deferred: the one who owes it may ask who waits for it, and wait too long."""
    members = await spawn(system, "ab")
    system.ref("a").tell(Go(Owed(("b",))))
    await quiet()
    asked = asyncio.ensure_future(system.ref("b").ask(Via(("a",))))
    await quiet()
    assert not asked.done()
    members["b"].owed[0].set("at last")
    assert await asked == "b a"
    assert members["a"].errors == []


async def test_such_an_answer_in_a_longer_ring_makes_no_cycle(system: System) -> None:
    """RT-16 Wherever in it that one is."""
    members = await spawn(system, "abc")
    system.ref("a").tell(Go(Owed(("b",))))
    await quiet()
    asked = asyncio.ensure_future(system.ref("b").ask(Via(("c", "a"))))
    await quiet()
    assert not asked.done()
    members["b"].owed[0].set("at last")
    assert await asked == "b c a"
    assert members["a"].errors == []


class Freely(Request[str], frozen=True):
    """Ask b for what a's own task answers, by a handler that interleaves."""


async def test_who_asks_side_by_side_can_be_asked_back_by_who_does_not(system: System) -> None:
    """RT-16 Only a wait of the actor's own task keeps it from answering."""

    class Free(Member):
        @handles(Freely, interleave=True)
        async def freely(self, _message: Freely) -> str:
            return await self.context.system.ref("b").ask(Via(("a",)))

    await system.spawn(Free, "a")
    await system.spawn(Member, "b")
    assert await system.ref("a").ask(Freely()) == "b a"


async def test_who_interleaves_an_answer_makes_no_cycle(system: System) -> None:
    """RT-16 B has a's request in a task of its own, while its own task asks a."""
    gate = asyncio.Event()

    class Waits(Member):
        @handles(Beside, interleave=True)
        async def beside(self, message: Beside) -> str:
            await gate.wait()
            return "beside"

    members = await spawn(system, "a")
    await system.spawn(Waits, "b")
    system.ref("a").tell(Go(Beside(("b",))))
    await quiet()
    asked = asyncio.ensure_future(system.ref("b").ask(Via(("a",))))
    await quiet()
    assert not asked.done()
    gate.set()
    assert await asked == "b a"
    assert members["a"].errors == []


async def test_a_wait_in_a_task_of_the_handlers_own_ends_at_the_deadline(system: System) -> None:
    """RT-16 Whether the handler waits for that task can't be known."""

    class Spreading(Member):
        async def pass_on(self, message: Via) -> str:
            return await asyncio.ensure_future(super().pass_on(message))

    for name in "ab":
        await system.spawn(Spreading, name)
    with pytest.raises(InferenceTimeout):
        await system.ref("a").ask(Via(("b", "a")), timeout=3)
    assert system.clock.now() == 3


async def test_a_cycle_of_interleaving_handlers_ends_at_the_deadline(system: System) -> None:
    """RT-16 When they are as many as may be: each has a task of its own, so it isn't seen."""

    class Narrow(Member):
        max_interleaved = 1

    for name in "ab":
        await system.spawn(Narrow, name)
    with pytest.raises(InferenceTimeout):
        await system.ref("a").ask(Beside(("b", "a")), timeout=3)
    assert system.clock.now() == 3
    await all_is_well(system)


class Relayed(Streamed[str], frozen=True):
    """Read it from the actors of ``names`` in turn, each by the one before it."""

    names: tuple[str, ...]


async def test_a_cycle_of_streams_ends_at_the_deadline(system: System) -> None:
    """RT-16 It isn't seen either: its reader gets one error, and nobody waits any more."""

    class Relay(Member):
        @streams(Relayed)
        async def relay(self, message: Relayed) -> AsyncIterator[str]:
            yield self.context.path
            if message.names:
                ref = self.context.system.ref(message.names[0])
                async with ref.stream(Relayed(message.names[1:])) as rest:
                    async for path in rest:
                        yield path

    for name in "ab":
        await system.spawn(Relay, name)
    async with system.ref("a").stream(Relayed(("b", "a")), timeout=3) as paths:
        assert [await anext(paths), await anext(paths)] == ["a", "b"]
        with pytest.raises(InferenceTimeout):
            await anext(paths)
    assert system.clock.now() == 3
    await all_is_well(system)


async def all_is_well(system: System) -> None:
    """See that a and b answer, and have nothing left to do."""
    assert await system.ref("a").ask(Via(("b",))) == "a b"
    assert await system.ref("b").ask(Beside(("a",))) == "b a"
    await quiet()
    assert [(node.state, node.failed, node.work_depth) for node in system.tree()] == [
        ("running", 0, 0)
    ] * 2


async def test_what_has_ended_is_no_wait(system: System) -> None:
    """RT-16 A cancelled, a timed out, and an answered ask leave nothing behind."""
    members = await spawn(system, "ab")
    system.ref("b").tell(Go(Owed(("a",), timeout=2)))
    await asyncio.sleep(3)
    assert [type(error) for error in members["b"].errors] == [InferenceTimeout]
    assert await system.ref("a").ask(Via(("b",))) == "a b"
    waits: list[Any] = [system.ref(name).address.waiting for name in "ab"]
    assert waits == [None, None]


async def test_a_cycle_while_an_actor_starts(system: System) -> None:
    """RT-16 A child that asks its parent in on_start, which the parent waits for."""

    class Eager(Member):
        async def on_start(self) -> None:
            parent = self.context.parent
            assert parent is not None
            try:
                await parent.ask(Via(()))
            except AskCycle as cycle:
                self.errors.append(cycle)

    class Parent(Member):
        @handles(Go)
        async def go(self, message: Go) -> None:
            child = Eager()
            answer = await self.context.spawn(lambda: child, "child").ask(Via(()))
            assert answer == "parent/child"
            assert len(child.errors) == 1

    ref = await system.spawn(Parent, "parent")
    ref.tell(Go(Via(())))
    assert await ref.ask(Via(())) == "parent"
