"""Events of telemetry's own: what it made of those that it heard."""

from __future__ import annotations

from failsoft.messages.events import Event
from failsoft.telemetry.alerting.alert import Alert


class ErrorSpiked(Event, frozen=True, kw_only=True):
    """There are far more errors of a type than usual: ``rate`` a minute and not ``usual``."""

    error_type: str
    rate: float
    usual: float


class ErrorSpikeEnded(Event, frozen=True, kw_only=True):
    """The errors of a type are as usual again, or as many are usual now.

    seconds: how long the spike was.
    """

    error_type: str
    rate: float
    usual: float
    seconds: float


class HealthChanged(Event, frozen=True, kw_only=True):
    """The service is another than it was: ``healthy``, ``degraded`` or ``critical``.

    critical_failures: the names of the critical checks that fail now.
    """

    before: str
    after: str
    critical_failures: tuple[str, ...]


class FlightWritten(Event, frozen=True, kw_only=True):
    """The flight recorder has written what it had heard to ``file``, since ``reason``."""

    file: str
    reason: str


class AlertsChanged(Event, frozen=True, kw_only=True):
    """Alerts began to fire, or were resolved; these are told together.

    id: another one for each such event. source: whose alerts they are.
    time: when that was, in seconds since the epoch.
    """

    id: str
    source: str
    time: float
    alerts: tuple[Alert, ...]

    def epoch(self, at: float) -> float:
        """Give a time of the system's clock in seconds since the epoch."""
        return self.time + at - self.at


class AlertSent(Event, frozen=True, kw_only=True):
    """A receiver has got an AlertsChanged. alerts: the names of its first alerts."""

    alerts: tuple[str, ...]
    tries: int


class AlertLost(Event, frozen=True, kw_only=True):
    """A receiver didn't get an AlertsChanged, or not all of it, and it isn't sent again.

    alerts: the names of its first alerts. tries: 0 where too many waited already.
    """

    alerts: tuple[str, ...]
    tries: int
    reason: str
