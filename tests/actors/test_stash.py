"""The stash: what can't be handled yet is put aside, and nothing of it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from failsoft.actors import Actor, ActorStopped, StashFull, System, handles, streams
from failsoft.messages import Control, InferenceTimeout, Message, Request
from failsoft.supervisors import Supervisor, child

from .sample_actors import Boom, Notebook, Noted, Numbers, Work, quiet

pytestmark = pytest.mark.anyio


class Open(Message, frozen=True):
    """Let work be done from now on."""


class Awaited(Request[str], frozen=True):
    """Be handled by a coroutine."""

    name: str


class Interleaved(Request[str], frozen=True):
    pass


class Order(Control, frozen=True):
    """Be put aside, out of the control lane."""


class Doorkeeper(Notebook):
    """Put work aside until the door is open."""

    stash_bound = 3

    def __init__(self) -> None:
        super().__init__()
        self.is_open = False

    @handles(Open)
    def open(self, _message: Open) -> None:
        self.is_open = True
        self.context.unstash_all()

    @handles(Work)
    def work(self, message: Work) -> str:
        if not self.is_open:
            self.context.stash()
        self.notes.append(message.name)
        return message.name

    @handles(Awaited)
    async def awaited(self, message: Awaited) -> str:
        await asyncio.sleep(0)
        if not self.is_open:
            try:
                self.context.stash()
            except Exception:
                self.notes.append("swallowed")
                raise
        self.notes.append(message.name)
        return message.name

    @handles(Interleaved, interleave=True)
    async def interleaved(self, _message: Interleaved) -> str:
        self.context.stash()

    @handles(Order)
    def order(self, message: Order) -> None:
        if not self.is_open:
            self.context.stash()
        self.notes.append("order")

    @streams(Numbers)
    async def numbers(self, message: Numbers) -> AsyncIterator[int]:
        if not self.is_open:
            self.context.stash()
        for number in range(message.count):
            yield number


async def test_what_was_put_aside_comes_before_newer_work_in_its_order(system: System) -> None:
    """RT-01 Plain and awaiting handlers, told and asked; each asker gets its own answer."""
    ref = await system.spawn(Doorkeeper, "door")
    asked = [
        asyncio.ensure_future(ref.ask(Work("a"))),
        asyncio.ensure_future(ref.ask(Awaited("b"))),
    ]
    await quiet()
    ref.tell(Work("c"))
    await quiet()
    ref.tell(Open())
    ref.tell(Work("newer"))
    assert await asyncio.gather(*asked) == ["a", "b"]
    assert await ref.ask(Noted()) == ["a", "b", "c", "newer"]
    assert system.dead_letters.total == 0


async def test_a_stream_can_be_put_aside(system: System) -> None:
    """RT-17 Its reader waits, and gets all of it."""
    ref = await system.spawn(Doorkeeper, "door")
    async with ref.stream(Numbers(3)) as numbers:
        await quiet()
        ref.tell(Open())
        assert [number async for number in numbers] == [0, 1, 2]


async def test_control_goes_back_to_its_own_lane(system: System) -> None:
    """RT-04 Ahead of all work."""
    ref = await system.spawn(Doorkeeper, "door")
    for message in (Work("a"), Order()):
        ref.tell(message)
    await quiet()
    ref.tell(Open())
    assert await ref.ask(Noted()) == ["order", "a"]


async def test_the_deadline_counts_while_a_request_is_put_aside(system: System) -> None:
    """RT-06 It is not handled any more when it comes back."""
    ref = await system.spawn(Doorkeeper, "door")
    with pytest.raises(InferenceTimeout):
        await ref.ask(Work("late"), timeout=2)
    ref.tell(Open())
    assert await ref.ask(Noted()) == []
    assert system.tree()[0].expired == 1


async def test_a_full_stash_is_an_answer_to_who_asked(system: System) -> None:
    """RT-03 And no failure; the others keep their place."""
    ref = await system.spawn(Doorkeeper, "door")
    for name in "abc":
        ref.tell(Work(name))
    for request in (Work("d"), Awaited("e")):
        with pytest.raises(StashFull, match=r"door is full \(3 messages\).*larger `stash_bound`"):
            await ref.ask(request)
    ref.tell(Open())
    assert await ref.ask(Noted()) == ["swallowed", "a", "b", "c"]
    assert system.tree()[0].failed == 0


async def test_a_full_stash_makes_a_dead_letter_of_what_was_told(system: System) -> None:
    """RT-03 With its reason, by either kind of handler."""
    ref = await system.spawn(Doorkeeper, "door")
    messages: list[Message] = [Work(name) for name in "abcd"]
    for message in (*messages, Awaited("e")):
        ref.tell(message)
    await quiet()
    assert system.dead_letters.counts() == {"stash full": 2}
    assert [letter.message for letter in system.dead_letters.recent] == [Work("d"), Awaited("e")]
    assert ref.is_alive


async def test_who_has_gone_leaves_room_in_the_stash(system: System) -> None:
    """RT-06 At the bound, those that nobody waits for any more don't count."""
    ref = await system.spawn(Doorkeeper, "door")
    for name in "abc":
        with pytest.raises(InferenceTimeout):
            await ref.ask(Work(name), timeout=1)
    asked = asyncio.ensure_future(ref.ask(Work("d")))
    await quiet()
    ref.tell(Open())
    assert await asked == "d"


async def test_a_handler_may_itself_take_care_of_a_full_stash(system: System) -> None:
    """RT-03 The error is raised at the line where the stash is too small."""

    class Careful(Doorkeeper):
        stash_bound = 1

        @handles(Work)
        def work(self, message: Work) -> str:
            try:
                self.context.stash()
            except StashFull as full:
                return f"come back later: {full.bound}"

    ref = await system.spawn(Careful, "door")
    ref.tell(Work())
    assert await ref.ask(Work()) == "come back later: 1"


async def test_at_a_restart_what_was_put_aside_goes_back_to_the_mailbox(system: System) -> None:
    """RT-12 In front of what waits there; the next incarnation handles it."""
    doors: list[Doorkeeper] = []

    def make() -> Doorkeeper:
        doors.append(Doorkeeper())
        doors[-1].is_open = len(doors) > 1
        return doors[-1]

    await system.spawn(lambda: Supervisor([child("door", make)]), "root")
    ref = system.ref("root/door")
    asked = [asyncio.ensure_future(ref.ask(Work(name))) for name in "ab"]
    await quiet()
    ref.tell(Boom(KeyError("x")))
    ref.tell(Work("newer"))
    assert await asyncio.gather(*asked) == ["a", "b"]
    assert await ref.ask(Noted()) == ["a", "b", "newer"]


async def test_at_a_stop_what_was_put_aside_is_answered_or_buried_in_order(system: System) -> None:
    """RT-11 Before what waits in the mailbox."""
    ref = await system.spawn(Doorkeeper, "door")
    asked = asyncio.ensure_future(ref.ask(Work("a")))
    await quiet()
    ref.tell(Work("b"))
    await quiet()
    await system.stop(ref)
    with pytest.raises(ActorStopped):
        await asked
    assert [letter.message for letter in system.dead_letters.recent] == [Work("b")]


async def test_only_a_message_in_hand_can_be_put_aside(system: System) -> None:
    """RT-02 An interleaving handler has no turn of its own to put off; a callback has none."""
    door = Doorkeeper()
    ref = await system.spawn(lambda: Supervisor([child("door", lambda: door)]), "root")
    ref = system.ref("root/door")
    with pytest.raises(RuntimeError, match="don't interleave"):
        await ref.ask(Interleaved())
    with pytest.raises(RuntimeError, match="while they handle a message"):
        door.context.stash()


async def test_a_message_may_be_put_aside_again_and_again(system: System) -> None:
    """RT-01 The order stays."""

    class Patient(Doorkeeper):
        tries = 0

        @handles(Open)
        def open(self, _message: Open) -> None:
            self.tries += 1
            self.is_open = self.tries == 3
            self.context.unstash_all()

    ref = await system.spawn(Patient, "door")
    for message in (Work("a"), Work("b"), Open(), Work("c"), Open(), Open()):
        ref.tell(message)
    assert await ref.ask(Noted()) == ["a", "b", "c"]


@pytest.mark.parametrize("bound", [0, -1])
async def test_a_stash_has_room_for_one_at_least(system: System, bound: int) -> None:
    """RT-03 Else it is an error that says so."""

    class Tiny(Actor):
        stash_bound = bound

        @handles(Work)
        def work(self, _message: Work) -> str:
            self.context.stash()

    await system.spawn(lambda: Supervisor([child("tiny", Tiny)]), "root")
    with pytest.raises(ValueError, match="at least 1"):
        await system.ref("root/tiny").ask(Work())
