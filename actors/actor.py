"""Actor: state that one message at a time may touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from failsoft.actors.exit import ExitReason
from failsoft.actors.handlers import Handler, handlers_of, handles
from failsoft.actors.mailbox import DEFAULT_BOUND, Overflow
from failsoft.actors.signals import Ping

if TYPE_CHECKING:
    from failsoft.actors.context import Context


class Actor:
    """Derive from this; mark one method a message type with ``@handles``.

        class Counter(Actor):
            def __init__(self) -> None:
                self.total = 0

            @handles(Add)
            def add(self, message: Add) -> int:
                self.total += message.n
                return self.total

    An exception that a handler raises ends the actor, and its supervisor decides what then;
    the asker gets the same exception. An ``InferenceError`` that is a refusal (a caller's fault,
    an overload, a deadline) is an answer, and ends nobody.

    mailbox_bound, overflow: the work lane's bound in messages, and what happens at it.
    ranks_work: whether messages that have a priority are taken by it; not for an actor that takes
        all in at once and has queues of its own.
    max_interleaved: how many interleaving handlers may be under way; more wait in the mailbox.
    stash_bound: how many messages ``context.stash`` may have put aside.
    shutdown_timeout: seconds that a stop may take before the actor is killed, where nobody
        says otherwise.
    """

    mailbox_bound: ClassVar[int] = DEFAULT_BOUND
    overflow: ClassVar[Overflow] = Overflow.REJECT
    ranks_work: ClassVar[bool] = True
    max_interleaved: ClassVar[int] = 256
    stash_bound: ClassVar[int] = DEFAULT_BOUND
    shutdown_timeout: ClassVar[float] = 5.0

    # By class, as a rule; an actor whose messages depend on its arguments sets its own.
    message_handlers: dict[type, Handler]
    stream_handlers: dict[type, Handler]

    context: Context
    """The actor's place in the tree; there from ``on_start`` on, not in ``__init__``."""

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        cls.message_handlers = handlers_of(cls, "_handles")
        cls.stream_handlers = handlers_of(cls, "_streams")

    async def on_start(self) -> None:
        """Get ready. No message is handled before it is done; to raise is to fail to start."""

    async def on_stop(self, reason: ExitReason) -> None:
        """Clean up. Called once for each ``on_start`` that was begun, however the actor ends."""

    def on_shutdown(self, reason: ExitReason) -> bool:
        """Take note of a request to stop, once, as soon as it comes.

        True: end once what is in hand is done. False: end later, by ``context.exit``. Either
        way no more work is taken from the mailbox.
        """
        return True

    def inspect(self) -> dict[str, Any]:
        """Give what the tree's picture should show of this actor; cheap, no secrets."""
        return {}

    def waits_until(self, child: str) -> float | None:
        """Give the time until which a child is left down before it is started again."""
        return None

    @handles(Ping)
    def _pong(self, _ping: Ping) -> float:
        return self.context.clock.now()


Actor.message_handlers = handlers_of(Actor, "_handles")
Actor.stream_handlers = handlers_of(Actor, "_streams")
