"""The mailbox and its policies at the bound."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from failsoft.actors import MailboxFull, MessageDropped, Overflow, System
from failsoft.actors.mailbox import CONTROL_BOUND, Envelope, Mailbox

from .sample_actors import Busy, Note, Urgent, Work, quiet


async def fill(system: System, overflow: Overflow) -> Busy:
    """Start an actor that has one message in hand and two in its full mailbox."""

    class Small(Busy):
        mailbox_bound = 2

    Small.overflow = overflow
    actor = Small()
    ref = await system.spawn(lambda: actor, "small")
    ref.tell(Work("in hand"))
    await actor.started.wait()
    ref.tell(Note(1))
    ref.tell(Note(2))
    return actor


@pytest.mark.anyio
async def test_a_full_mailbox_rejects_at_the_sender(system: System) -> None:
    """RT-03 Both tell and ask raise; nothing is lost in silence, for the sender knows."""
    actor = await fill(system, Overflow.REJECT)
    with pytest.raises(MailboxFull, match="mailbox_bound"):
        actor.context.ref.tell(Note(3))
    with pytest.raises(MailboxFull):
        await actor.context.ref.ask(Work("too much"))
    actor.gate.set()
    await quiet()
    assert actor.notes == ["start in hand", "end in hand", 1, 2]
    assert system.dead_letters.total == 0


@pytest.mark.anyio
async def test_drop_oldest_buries_the_oldest(system: System) -> None:
    """RT-03 The dropped one is a dead letter with its reason."""
    actor = await fill(system, Overflow.DROP_OLDEST)
    actor.context.ref.tell(Note(3))
    actor.gate.set()
    await quiet()
    assert actor.notes[2:] == [2, 3]
    (letter,) = system.dead_letters.recent
    assert (letter.path, letter.message, letter.reason) == ("small", Note(1), "drop_oldest")


@pytest.mark.anyio
async def test_drop_newest_buries_the_new_one(system: System) -> None:
    """RT-03 The dropped one is a dead letter with its reason."""
    actor = await fill(system, Overflow.DROP_NEWEST)
    actor.context.ref.tell(Note(3))
    actor.gate.set()
    await quiet()
    assert actor.notes[2:] == [1, 2]
    (letter,) = system.dead_letters.recent
    assert (letter.message, letter.reason) == (Note(3), "drop_newest")


@pytest.mark.anyio
async def test_an_ask_dropped_as_the_newest_is_answered_at_once(system: System) -> None:
    """RT-03 With a typed error; no time passes."""
    actor = await fill(system, Overflow.DROP_NEWEST)
    with pytest.raises(MessageDropped, match="drop_newest"):
        await actor.context.ref.ask(Work("late"))
    assert system.clock.now() == 0
    actor.gate.set()


@pytest.mark.anyio
async def test_an_ask_dropped_as_the_oldest_is_answered_at_once(system: System) -> None:
    """RT-03 It had been taken in, and another pushed it out."""
    actor = await fill(system, Overflow.DROP_OLDEST)
    ref = actor.context.ref
    asked = asyncio.ensure_future(ref.ask(Work("queued")))
    await quiet()
    ref.tell(Note(3))
    ref.tell(Note(4))
    with pytest.raises(MessageDropped, match="drop_oldest"):
        await asked
    actor.gate.set()


@pytest.mark.anyio
async def test_an_ask_that_is_dropped_after_its_asker_left_is_no_late_reply(
    system: System,
) -> None:
    """RT-03 There is one dead letter for it, not two."""
    actor = await fill(system, Overflow.DROP_OLDEST)
    ref = actor.context.ref
    asked = asyncio.ensure_future(ref.ask(Work("queued")))
    await quiet()
    asked.cancel()
    await quiet()
    ref.tell(Note(3))
    ref.tell(Note(4))
    assert system.dead_letters.counts() == {"drop_oldest": 3}
    actor.gate.set()


@pytest.mark.anyio
async def test_control_from_users_is_bounded_too(system: System) -> None:
    """RT-04 Its lane is wide, but not endless."""
    actor = await fill(system, Overflow.DROP_OLDEST)
    for number in range(CONTROL_BOUND):
        actor.context.ref.tell(Urgent(number))
    with pytest.raises(MailboxFull, match="control"):
        actor.context.ref.tell(Urgent("one too many"))
    assert system.tree()[0].control_depth == CONTROL_BOUND
    actor.gate.set()


class MailboxAgainstModel(RuleBasedStateMachine):
    """Drive a mailbox and two plain lists by the same calls."""

    overflow = Overflow.REJECT

    def __init__(self) -> None:
        super().__init__()
        self.bound = 3
        self.mailbox = Mailbox(self.bound, self.overflow)
        self.work: list[int] = []
        self.control: list[int] = []
        self.is_held = False
        self.next = 0

    def envelope(self) -> Envelope:
        self.next += 1
        return Envelope(self.next)

    @rule()
    def put(self) -> None:
        envelope = self.envelope()
        expected = None
        if len(self.work) < self.bound:
            self.work.append(envelope.message)
        elif self.overflow is Overflow.DROP_OLDEST:
            expected = self.work.pop(0)
            self.work.append(envelope.message)
        else:
            expected = envelope.message
        dropped = self.mailbox.put(envelope)
        assert (dropped.message if dropped else None) == expected

    @rule()
    def put_control(self) -> None:
        envelope = self.envelope()
        self.control.append(envelope.message)
        self.mailbox.put_control(envelope)

    @rule()
    def take(self) -> None:
        lane = self.control or ([] if self.is_held else self.work)
        expected = lane.pop(0) if lane else None
        taken = self.mailbox.take()
        assert (taken.message if taken else None) == expected

    @rule()
    def hold(self) -> None:
        self.is_held = True
        self.mailbox.hold()

    @rule()
    def release(self) -> None:
        self.is_held = False
        self.mailbox.release()

    @rule(which=st.integers(0, 3))
    def remove(self, which: int) -> None:
        removed = self.mailbox.remove(lambda message: message % 4 == which)
        assert [e.message for e in removed] == [m for m in self.control if m % 4 == which]
        self.control = [m for m in self.control if m % 4 != which]

    @rule()
    def drain(self) -> None:
        assert [e.message for e in self.mailbox.drain()] == [*self.control, *self.work]
        self.control, self.work = [], []

    @invariant()
    def depths_agree(self) -> None:
        assert self.mailbox.depths() == (len(self.control), len(self.work))


class DroppingOldest(MailboxAgainstModel):
    overflow = Overflow.DROP_OLDEST


class DroppingNewest(MailboxAgainstModel):
    overflow = Overflow.DROP_NEWEST


TestRejecting = MailboxAgainstModel.TestCase
TestDroppingOldest = DroppingOldest.TestCase
TestDroppingNewest = DroppingNewest.TestCase


def test_a_bound_below_one_is_refused() -> None:
    """RT-03 A mailbox that takes nothing is a mistake."""
    with pytest.raises(ValueError, match="at least 1"):
        Mailbox(0)
