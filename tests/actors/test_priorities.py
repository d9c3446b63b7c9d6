"""Priorities in the work lane: higher first, in order of arrival within one."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.actors import Actor, MailboxFull, MessageDropped, Overflow, System, handles
from failsoft.actors.mailbox import Envelope, Mailbox
from failsoft.actors.ranked_lane import RankedLane
from failsoft.messages import Message, Request

from .sample_actors import Busy, Note, Noted, Urgent, Work, quiet

pytestmark = pytest.mark.anyio


class Important(Message, frozen=True):
    """Come before plain work."""

    priority: ClassVar[int] = 5

    value: object


class Idle(Important, frozen=True):
    """Come after plain work."""

    priority: ClassVar[int] = -5


class Rated(Request[Any], frozen=True):
    """Say each its own."""

    value: object
    priority: int = 0


class Sorted(Busy):
    @handles(Important)
    def important(self, message: Important) -> None:
        self.notes.append(message.value)

    @handles(Idle)
    def idle(self, message: Idle) -> None:
        self.notes.append(message.value)

    @handles(Rated)
    def rated(self, message: Rated) -> Any:
        self.notes.append(message.value)
        return message.value


async def spawn_held(system: System, kind: type[Busy] = Sorted) -> tuple[Any, Busy]:
    """Give an actor that has something in hand, so that what is sent to it waits."""
    actor = kind()
    ref = await system.spawn(lambda: actor, "a")
    ref.tell(Work("in hand"))
    await quiet()
    actor.notes.clear()
    return ref, actor


async def handled(ref: Any, actor: Busy) -> list[Any]:
    actor.gate.set()
    await quiet()
    return [note for note in await ref.ask(Noted()) if note != "end in hand"]


async def test_higher_comes_first_and_control_before_all(system: System) -> None:
    """RT-04 Told or asked, by class or by message; within one, in order."""
    ref, actor = await spawn_held(system)
    messages = [Idle("i1"), Note("n1"), Important("h1"), Rated("r9", 9), Idle("i2"), Rated("r0")]
    for message in (*messages, Important("h2"), Note("n2"), Urgent("control"), Rated("r-9", -9)):
        ref.tell(message)
    asked = asyncio.ensure_future(ref.ask(Rated("r7", 7)))
    await asyncio.sleep(0)
    expected = ["control", "r9", "r7", "h1", "h2", "n1", "r0", "n2", "i1", "i2"]
    assert (await handled(ref, actor))[: len(expected)] == expected
    assert await asked == "r7"


async def test_the_first_incarnation_sorts_what_came_before_it(system: System) -> None:
    """RT-04 What its messages are isn't known any earlier."""
    actor = Sorted()
    cell = system.add_cell(lambda: actor, "a", None)
    for message in (Note("n"), Important("h")):
        cell.ref.tell(message)
    cell.start()
    assert await cell.ref.ask(Noted()) == ["h", "n"]


async def test_who_has_no_priorities_has_a_plain_lane(system: System) -> None:
    """RT-01 And pays for none."""
    plain, _ = await spawn_held(system, Busy)
    plain.tell(Note(1))
    assert type(plain.address.mailbox._work) is not RankedLane
    await system.stop(plain, within=0)
    ranked, _ = await spawn_held(system)
    assert type(ranked.address.mailbox._work) is RankedLane


async def test_a_full_lane_rejects_whatever_its_priority(system: System) -> None:
    """RT-03 The sender decides what to do."""

    class Small(Sorted):
        mailbox_bound = 2

    ref, actor = await spawn_held(system, Small)
    for message in (Note(1), Note(2)):
        ref.tell(message)
    with pytest.raises(MailboxFull):
        ref.tell(Important(3))
    assert await handled(ref, actor) == [1, 2]


async def test_a_full_lane_drops_the_oldest_of_the_lowest(system: System) -> None:
    """RT-03 That may be the one that has just come."""

    class Lossy(Sorted):
        mailbox_bound = 3
        overflow = Overflow.DROP_OLDEST

    ref, actor = await spawn_held(system, Lossy)
    for message in (Note("n1"), Important("h1"), Note("n2"), Important("h2"), Important("h3")):
        ref.tell(message)
    with pytest.raises(MessageDropped):
        await ref.ask(Rated("too low", -1))
    assert await handled(ref, actor) == ["h1", "h2", "h3"]
    dropped = [letter.message.value for letter in system.dead_letters.recent]
    assert dropped == ["n1", "n2", "too low"]


class Aside(Actor):
    """Put all work aside at first."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.is_open = False

    @handles(Urgent)
    def open(self, _message: Urgent) -> None:
        self.is_open = True
        self.context.unstash_all()

    @handles(Rated)
    def rated(self, message: Rated) -> Any:
        if not self.is_open:
            self.context.stash()
        self.notes.append(message.value)


async def test_what_was_put_aside_comes_back_by_its_priority(system: System) -> None:
    """RT-01 In front of what is as important, behind what is more so."""
    actor = Aside()
    ref = await system.spawn(lambda: actor, "a")
    for name, priority in (("a", 1), ("b", 1), ("c", 3)):
        ref.tell(Rated(name, priority))
    await quiet()
    later: tuple[Message, ...] = (Urgent(None), Rated("d", 1), Rated("e", 2))
    for message in later:
        ref.tell(message)
    await quiet()
    assert actor.notes == ["c", "e", "a", "b", "d"]


@given(st.lists(st.one_of(st.integers(-2, 2), st.sampled_from(["take", "replace", "undo"]))))
def test_a_ranked_lane_against_a_list(steps: list[int | str]) -> None:
    """RT-01 Whatever is put and taken: highest first, in order; none lost, none twice."""
    lane, model = RankedLane(), list[Envelope]()
    for number, step in enumerate(steps):
        model.sort(key=lambda e: -e.message.priority)  # stable: in order within one
        new = Envelope(Rated(number, number % 5 - 2))
        if isinstance(step, int):
            new = Envelope(Rated(number, step))
            lane.append(new)
            model.append(new)
        elif step == "take" and model:
            assert lane.popleft() is model.pop(0)
        elif step == "undo":
            lane.append(new)
            assert lane.pop() is new
        elif step == "replace":
            model.append(new)
            lowest = min(e.message.priority for e in model)
            oldest = next(e for e in model if e.message.priority == lowest)
            model = [e for e in model if e is not oldest]
            assert lane.replace(new) is oldest
        assert len(lane) == len(model)
    model.sort(key=lambda e: -e.message.priority)
    assert list(lane) == model


class Labelled(Message, frozen=True):
    """Have a priority that is none."""

    priority: str


def test_a_field_of_that_name_that_is_no_number() -> None:
    """RT-01 It is somebody's own business."""
    lane = RankedLane([Envelope(Rated(1, -1)), Envelope(Labelled("high")), Envelope(Rated(2, 1))])
    assert [type(e.message) for e in lane] == [Rated, Labelled, Rated]


def test_a_mailbox_is_ranked_once() -> None:
    """RT-01 A second incarnation finds it so."""
    mailbox = Mailbox()
    first, second = Envelope(Rated(1, 1)), Envelope(Rated(2, 2))
    mailbox.put(first)
    mailbox.rank()
    mailbox.put(second)
    mailbox.rank()
    assert [mailbox.take(), mailbox.take(), mailbox.take()] == [second, first, None]
