"""An actor that hears the events that it has handlers for."""

from __future__ import annotations

from typing import ClassVar

from failsoft.actors import Actor, ExitReason, Overflow, Subscription
from failsoft.messages.events import Event


class EventListener(Actor):
    """Hear each kind of event that a method is marked with ``@handles`` for.

    Whoever publishes never waits for it: where it can't keep up, its oldest messages are dropped,
    and are dead letters.
    """

    overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST
    mailbox_bound: ClassVar[int] = 10_000

    _subscription: Subscription | None = None

    async def on_start(self) -> None:
        kinds = [kind for kind in self.message_handlers if issubclass(kind, Event)]
        self._subscription = self.context.system.events.subscribe(self.context.ref, *kinds)

    async def on_stop(self, reason: ExitReason) -> None:
        if self._subscription is not None:
            self._subscription.cancel()
