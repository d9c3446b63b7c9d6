"""The receiving end of an actor: its mailbox, who watches it, and what couldn't be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from failsoft.actors.errors import ActorStopped, MailboxFull, MessageDropped, UnknownMessage
from failsoft.actors.exit import NORMAL, ExitReason
from failsoft.actors.mailbox import CONTROL_BOUND, Envelope, Mailbox, Overflow
from failsoft.actors.misuse import NotAMessage
from failsoft.actors.ref import Ref
from failsoft.actors.signals import ChildExited, Signal, Terminated
from failsoft.messages import Control, Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from failsoft.actors.ask_cycle import Waiting
    from failsoft.actors.cell import Cell
    from failsoft.actors.handlers import Handler
    from failsoft.actors.reply import Reply
    from failsoft.actors.statistics import ActorStatistics
    from failsoft.actors.system import System


class Address:
    """Take in messages for a path, and see to it that none of them is lost in silence."""

    __slots__ = (
        "_watchers",
        "accepts",
        "clock",
        "dead_letters",
        "is_closed",
        "mailbox",
        "parent",
        "path",
        "reason",
        "ref",
        "streams",
        "system",
        "waiting",
    )

    def __init__(self, path: str, parent: Cell | None, mailbox: Mailbox, system: System) -> None:
        self.path = path
        self.parent = parent
        self.mailbox = mailbox
        self.ref = Ref(self)
        self.system = system
        self.clock = system.clock
        self.dead_letters = system.dead_letters
        # What may be sent here; empty as long as it isn't known, and again at the end.
        self.accepts: dict[type, Handler] = {}
        self.streams: dict[type, Handler] = {}
        self.reason: ExitReason = NORMAL
        self.is_closed = False
        # The ask for whose answer the actor's own task waits.
        self.waiting: Waiting | None = None
        self._watchers: dict[object, Callable[[Terminated], object]] | None = None

    # -- delivery

    def put(self, envelope: Envelope) -> None:
        """Put into its lane. At the work lane's bound, do as the policy says; raise MailboxFull."""
        if isinstance(envelope.message, Control):
            if self.mailbox.is_control_full:
                raise MailboxFull(self.path, CONTROL_BOUND, "control")
            self.mailbox.put_control(envelope)
            return
        dropped = self.mailbox.put(envelope)
        if dropped is not None:
            self.overflowed(dropped)

    def put_rare(self, envelope: Envelope) -> None:
        """Put what isn't work that a live actor has a handler for.

        Raise UnknownMessage, ActorStopped to an asker, MailboxFull.
        """
        if envelope.reply is None:
            self.check(envelope.message)
        if not self.is_closed:
            self.put(envelope)
        elif envelope.reply is None:
            self.dead_letters.add(self.path, envelope.message, "actor stopped")
        else:
            raise ActorStopped(self.path, str(self.reason))

    def overflowed(self, dropped: Envelope) -> None:
        """Do as the policy says with what had no room; raise MailboxFull."""
        if self.mailbox.overflow is Overflow.REJECT:
            raise MailboxFull(self.path, self.mailbox.bound)
        policy = self.mailbox.overflow.value
        self.dead_letters.add(self.path, dropped.message, policy)
        if dropped.reply is not None and dropped.reply.is_open:
            dropped.reply.fail(MessageDropped(self.path, policy))

    @property
    def is_known(self) -> bool:
        """Tell whether it is known what may be sent here: from the first incarnation on."""
        return bool(self.accepts)

    def check(self, message: object, how: str = "handles") -> None:
        """Raise UnknownMessage for one that has no handler, as far as that is known.

        Raise NotAMessage for what can't have one.
        """
        if not isinstance(message, Message):
            raise NotAMessage(self.path, message)
        known = self.accepts if how == "handles" else self.streams
        if self.is_known and message.__class__ not in known:
            raise UnknownMessage(self.path, message, known, how)

    def put_or_bury(self, message: Message) -> None:
        """Put in a message whose sender can't be told, say a timer's."""
        try:
            self.ref.tell(message)
        except MailboxFull:
            self.dead_letters.add(self.path, message, "mailbox full")

    def undelivered(self, envelope: Envelope, reason: str) -> None:
        """Answer, or else bury, a message that won't be handled."""
        if envelope.reply is not None:
            if envelope.reply.is_open:
                envelope.reply.fail(ActorStopped(self.path, str(self.reason)))
        elif isinstance(envelope.message, ChildExited):
            envelope.message.child.close(envelope.message.reason)
        elif not isinstance(envelope.message, Signal):
            self.dead_letters.add(self.path, envelope.message, reason)

    def late_answer(self, answer: object) -> None:
        """Bury an answer that nobody waits for any more."""
        self.dead_letters.add(self.path, answer, "late reply")

    def statistics(self) -> ActorStatistics:
        """Count what the actor has done, and has before it."""
        raise NotImplementedError

    def has_beside(self, reply: Reply[Any]) -> bool:
        """Tell whether an answer comes without a turn of the actor's own task."""
        return False

    # -- watchers

    def add_watcher(self, watcher: object, tell: Callable[[Terminated], object]) -> None:
        """Have ``tell`` called once after the end for good; at once where that has been.

        To add a watcher a second time changes nothing.
        """
        if self.is_closed:
            tell(self._terminated())
            return
        if self._watchers is None:
            self._watchers = {}
        self._watchers.setdefault(watcher, tell)

    def remove_watcher(self, watcher: object) -> None:
        if self._watchers is not None:
            self._watchers.pop(watcher, None)

    def tell_watchers(self) -> None:
        watchers, self._watchers = self._watchers, None
        for tell in (watchers or {}).values():
            tell(self._terminated())

    def _terminated(self) -> Terminated:
        return Terminated(self.ref, self.reason)
