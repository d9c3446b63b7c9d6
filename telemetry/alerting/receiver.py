"""The receiver: an actor that has alerts sent to one place, and lets nobody wait for it."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar, Final

import anyio
import structlog

from failsoft.actors import Actor, ExitReason, MailboxFull, Subscription, handles
from failsoft.telemetry.alerting.delivery import Delivery, Destination, NotDelivered
from failsoft.telemetry.alerting.retry import RetryPolicy
from failsoft.telemetry.events import AlertLost, AlertsChanged, AlertSent

log = structlog.get_logger("failsoft.alerts")

_RETRY: Final = RetryPolicy()
_NO_END: Final = "the receiver stopped or failed before all was sent"
_MOST_NAMES: Final = 20


class AlertReceiver(Actor):
    """Send alerts to ``destination``, one message at a time; publish AlertSent and AlertLost.

    Messages that wait do so in its mailbox; where that is full, news are lost, and told to be.
    When the actor is stopped, it ends what it is at, for as long as its ``shutdown_timeout``.
    """

    mailbox_bound: ClassVar[int] = 100

    def __init__(self, destination: Destination, *, retry: RetryPolicy = _RETRY) -> None:
        self._destination = destination
        self._retry = retry
        self._delivery: Delivery | None = None
        self._subscription: Subscription | None = None
        self._sent = 0
        self._lost = 0
        self._trouble: str | None = None

    async def on_start(self) -> None:
        self._delivery = self._destination.open()
        self._subscription = self.context.system.events.subscribe(self._hear, AlertsChanged)

    async def on_stop(self, reason: ExitReason) -> None:
        if self._subscription is not None:
            self._subscription.cancel()
        if self._delivery is not None:
            await self._delivery.aclose()
        if waiting := self.context.ref.statistics().work_depth:
            # They are sent if it is started again.
            log.warning("alerts.unsent", messages=waiting)

    def inspect(self) -> dict[str, Any]:
        return {
            "destination": repr(self._destination),
            "sent": self._sent,
            "lost": self._lost,
            "trouble": self._trouble,
        }

    def _hear(self, event: AlertsChanged) -> None:
        try:
            self.context.ref.tell(event)
        except MailboxFull:
            self._lose(event, 0, f"{self.mailbox_bound} messages wait for it already")

    @handles(AlertsChanged)
    async def _deliver(self, event: AlertsChanged) -> None:
        self._tries = 0
        trouble: str | None = _NO_END
        try:
            trouble = await self._send_all(event)
        finally:
            self._tell(event, trouble)

    async def _send_all(self, event: AlertsChanged) -> str | None:
        """Send all parts; give why the last one of those that failed did."""
        assert self._delivery is not None
        trouble = None
        for number, part in enumerate(self._delivery.parts(event)):
            if number and self._passed(event) >= self._retry.within:
                return trouble or f"it took over {self._retry.within:g} s"
            trouble = await self._send(self._delivery, part, event) or trouble
        return trouble

    async def _send(self, delivery: Delivery, part: Any, event: AlertsChanged) -> str | None:
        """Send a part, again where it fails; give why it wasn't sent, or None."""
        for failed in itertools.count(1):
            self._tries += 1
            try:
                with anyio.fail_after(self._retry.timeout):
                    await delivery.send(part)
                    return None
            except TimeoutError:
                failure = NotDelivered(f"it didn't answer within {self._retry.timeout:g} s")
            except NotDelivered as error:
                failure = error
            wait = None
            if not failure.is_final:
                wait = self._retry.wait(
                    failed, self._passed(event), failure.retry_after, self.context.random
                )
            if wait is None:
                return failure.reason
            log.info("alerts.retried", reason=failure.reason, seconds=round(wait, 3))
            await anyio.sleep(wait)
        raise AssertionError

    def _passed(self, event: AlertsChanged) -> float:
        return self.context.clock.now() - event.at

    def _tell(self, event: AlertsChanged, trouble: str | None) -> None:
        self._trouble = trouble
        if trouble is not None:
            self._lose(event, self._tries, trouble)
            return
        self._sent += 1
        self.context.publish(AlertSent, alerts=_names(event), tries=self._tries)

    def _lose(self, event: AlertsChanged, tries: int, reason: str) -> None:
        self._lost += 1
        names = _names(event)
        log.error("alerts.lost", reason=reason, tries=tries, alerts=names)
        self.context.publish(AlertLost, alerts=names, tries=tries, reason=reason)


def _names(event: AlertsChanged) -> tuple[str, ...]:
    return tuple(alert.name for alert in event.alerts[:_MOST_NAMES])
