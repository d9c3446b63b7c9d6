"""The event bus: what happens in the tree, told to whoever listens.

No listener, no cost. A listener that fails or falls behind is dropped, and that is logged; it
never delays or fails the one who publishes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from failsoft.actors.errors import ActorError, describe
from failsoft.messages.events import Event, SubscriberDropped

if TYPE_CHECKING:
    from failsoft.actors.clock import Clock
    from failsoft.actors.ref import Ref

log = structlog.get_logger("failsoft.bus")

Listener = Callable[[Any], object]


class Subscription:
    """Be somebody's wish to hear of events; ``cancel`` ends it."""

    def __init__(
        self,
        bus: EventBus,
        listener: Listener,
        kinds: tuple[type[Event], ...],
        but: tuple[type[Event], ...],
    ) -> None:
        self._bus = bus
        self.listener = listener
        self.kinds = kinds
        self.but = but

    def wants(self, kind: type[Event]) -> bool:
        """Tell whether it gets events of this kind."""
        return issubclass(kind, self.kinds) and not issubclass(kind, self.but)

    def cancel(self) -> None:
        """End it. A second time does nothing."""
        self._bus._remove(self)


class EventBus:
    """Pass events on to listeners by type; a base type stands for all that derive from it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._subscriptions: list[Subscription] = []
        self._heard_by: dict[type[Event], tuple[Subscription, ...]] = {}
        self.published = 0

    def subscribe(
        self, listener: Listener | Ref, *kinds: type[Event], but: tuple[type[Event], ...] = ()
    ) -> Subscription:
        """Have ``listener`` get events of ``kinds`` (all, where none is named), without ``but``.

        An actor (a ref) gets them in its mailbox, whose bound and policy hold; a callable is
        called in the loop and must not block.
        """
        call: Listener = getattr(listener, "tell", None) or listener  # type: ignore[assignment]
        subscription = Subscription(self, call, kinds or (Event,), but)
        self._subscriptions.append(subscription)
        self._heard_by.clear()
        return subscription

    @property
    def is_heard(self) -> bool:
        """Tell whether anybody listens at all."""
        return bool(self._subscriptions)

    def hears(self, kind: type[Event]) -> bool:
        """Tell whether anybody listens to such events, so that nobody makes them in vain."""
        heard_by = self._heard_by.get(kind)
        return bool(self._listeners(kind) if heard_by is None else heard_by)

    @property
    def subscribers(self) -> int:
        """Count who listen."""
        return len(self._subscriptions)

    def publish(self, kind: type[Event], path: str, /, **fields: object) -> None:
        """Make an event of ``kind`` about ``path`` and pass it on, where anybody hears that."""
        if not self._subscriptions:
            return
        heard_by = self._heard_by.get(kind)
        if heard_by is None:
            heard_by = self._listeners(kind)
        if not heard_by:
            return
        event = kind(path=path, at=self._clock.now(), **fields)
        self.published += 1
        for subscription in heard_by:
            if subscription in self._subscriptions:  # else one before it has ended it
                self._pass_on(subscription, event)

    def _listeners(self, kind: type[Event]) -> tuple[Subscription, ...]:
        found = tuple(each for each in self._subscriptions if each.wants(kind))
        self._heard_by[kind] = found
        return found

    def _pass_on(self, subscription: Subscription, event: Event) -> None:
        try:
            subscription.listener(event)
        except (Exception, asyncio.CancelledError) as error:  # some future's: it awaits nothing
            self._remove(subscription)
            reason = describe(error)
            expected = isinstance(error, ActorError)  # a listener that is full or has stopped
            log.warning("subscriber.dropped", reason=reason, exc_info=None if expected else error)
            self.publish(SubscriberDropped, event.path, reason=reason)

    def _remove(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            self._heard_by.clear()
