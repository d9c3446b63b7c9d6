"""Wording: alerts as people read them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from failsoft.telemetry.alerting.alert import SEVERITIES, Alert
from failsoft.telemetry.events import AlertsChanged


def by_urgency(event: AlertsChanged) -> list[Alert]:
    """Give the alerts, the most severe first; one that fires stays before its own end."""
    return sorted(event.alerts, key=lambda alert: SEVERITIES.index(alert.severity))


def headline(event: AlertsChanged) -> str:
    """Say in a few words what there is."""
    if len(event.alerts) == 1:
        (alert,) = event.alerts
        return f"{_status(alert)}: {alert.summary} ({event.source})"
    counts = Counter(alert.status for alert in event.alerts)
    said = ", ".join(f"{counts[status]} {status}" for status in ("firing", "resolved"))
    return f"{said} ({event.source})"


def lines(event: AlertsChanged, most: int) -> list[str]:
    """Give a line for each of the ``most`` most urgent alerts, and one for how many more."""
    alerts = by_urgency(event)
    told = [_line(alert) for alert in alerts[:most]]
    if len(alerts) > most:
        told.append(f"and {len(alerts) - most} more")
    return told


def iso(seconds: float) -> str:
    """Give a time since the epoch in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _line(alert: Alert) -> str:
    said = f"{_status(alert)}: {alert.summary} [{alert.name}]"
    if alert.status == "resolved":
        return f"{said}, after {alert.at - alert.since:.0f} s"
    return said if alert.count == 1 else f"{said}, {alert.count} times"


def _status(alert: Alert) -> str:
    return "resolved" if alert.status == "resolved" else alert.severity
