"""PagerDuty, by its Events API v2."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from failsoft.telemetry.alerting.alert import Alert
from failsoft.telemetry.alerting.http_destination import HttpDestination, Post
from failsoft.telemetry.alerting.wording import by_urgency, iso
from failsoft.telemetry.events import AlertsChanged

_LONGEST_SUMMARY: Final = 1024
_LONGEST_KEY: Final = 255


class PagerDuty(HttpDestination, frozen=True, kw_only=True):
    """Trigger an incident for each alert that fires, and resolve the same one when it ends.

    routing_key: the integration's, a secret.
    url: another one for accounts in Europe, ``https://events.eu.pagerduty.com/v2/enqueue``.
    """

    routing_key: str
    url: str = "https://events.pagerduty.com/v2/enqueue"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.routing_key:
            raise ValueError("routing_key must be the integration key of an Events API v2")

    def posts(self, event: AlertsChanged) -> list[Post]:
        return [
            Post(f"{event.id}-{number}", msgspec.json.encode(self._content(alert, event)))
            for number, alert in enumerate(by_urgency(event))
        ]

    def _content(self, alert: Alert, event: AlertsChanged) -> dict[str, Any]:
        content: dict[str, Any] = {
            "routing_key": self.routing_key,
            "dedup_key": _dedup_key(alert, event.source),
        }
        if alert.status == "resolved":
            return {**content, "event_action": "resolve"}
        payload = {
            "summary": alert.summary[:_LONGEST_SUMMARY],
            "source": event.source,
            "severity": alert.severity,
            "timestamp": iso(event.epoch(alert.at)),
            "component": alert.key,
            "class": alert.rule,
            "custom_details": {"count": alert.count, "since": iso(event.epoch(alert.since))},
        }
        return {**content, "event_action": "trigger", "payload": payload}


def _dedup_key(alert: Alert, source: str) -> str:
    """Give the incident's name: the same for the alert's end, and after a restart of ours."""
    key = f"{source}/{alert.name}"
    return key if len(key) <= _LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()
