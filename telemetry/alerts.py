"""The alerts actor: holds what happens against rules, and tells what is wrong enough."""

from __future__ import annotations

import asyncio
import math
import platform
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

from failsoft.actors import ExitReason, Timer, handles
from failsoft.messages import Request
from failsoft.messages.events import Event
from failsoft.telemetry.alerting.alert import Alert
from failsoft.telemetry.alerting.book import AlertBook, AlertReport
from failsoft.telemetry.events import AlertsChanged
from failsoft.telemetry.listener import EventListener

log = structlog.get_logger("failsoft.alerts")

# What is due at times near each other is looked at once.
_SHORTEST_WAIT: Final = 0.1


class GetAlerts(Request[AlertReport], frozen=True):
    """Ask which alerts there are."""


class AlertsActor(EventListener):
    """Publish AlertsChanged, which the receivers hear, and write each alert to the log.

    book: what is known of the alerts; made outside of the actor, it goes on after a restart.
    source: whose alerts these are; the machine's name, where nothing else is said. Name the
        service where that is another one after each start, as of a container: an incident of
        PagerDuty's is found again by it.
    wall_clock: gives seconds since the epoch.
    """

    def __init__(
        self,
        book: AlertBook | None = None,
        *,
        source: str | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._book = book = book or AlertBook()
        self._source = source or platform.node() or "failsoft"
        self._wall_clock = wall_clock
        # Of the class by rule, but what this one hears is up to the alerts' rules.
        handlers = dict(self.message_handlers)
        hear = handlers.pop(Event)
        self.message_handlers = {**handlers, **dict.fromkeys(book.kinds, hear)}
        self._timer: Timer | None = None
        self._wakes_at = math.inf

    async def on_start(self) -> None:
        await super().on_start()
        self._wake_in_time()

    async def on_stop(self, reason: ExitReason) -> None:
        await super().on_stop(reason)
        self._publish(self._book.take())
        # A turn of the loop, in which idle receivers take it in hand: they may be stopped next.
        await asyncio.sleep(0)

    def inspect(self) -> dict[str, Any]:
        return {"firing": len(self._book.report(self.context.clock.now()).firing)}

    @handles(GetAlerts)
    def _get_alerts(self, _request: GetAlerts) -> AlertReport:
        return self._book.report(self.context.clock.now())

    @handles(Event)
    def _hear(self, event: Event) -> None:
        self._book.hear(event, self.context.clock.now())
        self._wake_in_time()

    def _wake_in_time(self) -> None:
        due = self._book.due
        if due < self._wakes_at:
            if self._timer is not None:
                self._timer.cancel()
            wait = max(due - self.context.clock.now(), _SHORTEST_WAIT)
            self._wakes_at = due
            # No message: in a storm, when it matters, that might be dropped.
            self._timer = self.context.call_after(wait, self._wake)

    def _wake(self) -> None:
        self._timer, self._wakes_at = None, math.inf
        self._publish(self._book.tick(self.context.clock.now()))
        self._wake_in_time()

    def _publish(self, alerts: tuple[Alert, ...]) -> None:
        if not alerts:
            return
        for alert in alerts:
            _write(alert)
        self.context.publish(
            AlertsChanged,
            id=f"{self.context.random.getrandbits(128):032x}",
            source=self._source,
            time=self._wall_clock(),
            alerts=alerts,
        )


def _write(alert: Alert) -> None:
    level = alert.severity if alert.status == "firing" else "info"
    getattr(log, level)(
        f"alert.{alert.status}",
        rule=alert.rule,
        key=alert.key,
        severity=alert.severity,
        summary=alert.summary,
        seconds=round(alert.at - alert.since, 3),
        count=alert.count,
    )
