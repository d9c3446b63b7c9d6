"""A webhook of one's own: JSON, signed as the Standard Webhooks specification says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Any, Final

import msgspec

from failsoft.telemetry.alerting.alert import Alert
from failsoft.telemetry.alerting.http_destination import HttpDestination, Post
from failsoft.telemetry.alerting.wording import by_urgency, iso
from failsoft.telemetry.events import AlertsChanged

# A receiver may refuse large bodies; what is beyond goes in another one.
_MOST_ALERTS: Final = 100
_PREFIX: Final = "whsec_"
_SHORTEST_SECRET: Final = 24


class Webhook(HttpDestination, frozen=True, kw_only=True):
    """Post alerts as JSON, with a signature where there is a secret.

    secret: ``whsec_`` and the base64 of at least 24 random bytes.
    """

    secret: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.secret is not None:
            _key_of(self.secret)

    def posts(self, event: AlertsChanged) -> list[Post]:
        alerts = by_urgency(event)
        return [
            Post(
                f"{event.id}-{start // _MOST_ALERTS}",
                msgspec.json.encode(_content(alerts[start : start + _MOST_ALERTS], event)),
            )
            for start in range(0, len(alerts), _MOST_ALERTS)
        ]

    def headers(self, post: Post, now: float) -> dict[str, str]:
        headers = {"webhook-id": post.id, "webhook-timestamp": str(int(now))}
        if self.secret is not None:
            headers["webhook-signature"] = signature(self.secret, post.id, int(now), post.body)
        return headers


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Give the signature of a body that is sent at ``timestamp``, in seconds since the epoch."""
    signed = f"{id}.{timestamp}.".encode() + body
    digest = hmac.digest(_key_of(secret), signed, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def _key_of(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) < _SHORTEST_SECRET:
        # from None: the words of the cause might show a part of it.
        raise ValueError(
            f"secret must be {_PREFIX} and the base64 of at least {_SHORTEST_SECRET} random bytes; "
            f'make one: "{_PREFIX}" + base64.b64encode(secrets.token_bytes(32)).decode()'
        ) from None
    return key


def _content(alerts: list[Alert], event: AlertsChanged) -> dict[str, Any]:
    return {
        "type": "alerts.changed",
        "timestamp": iso(event.time),
        "data": {
            "source": event.source,
            "alerts": [
                {
                    "rule": alert.rule,
                    "key": alert.key,
                    "severity": alert.severity,
                    "status": alert.status,
                    "summary": alert.summary,
                    "since": iso(event.epoch(alert.since)),
                    "at": iso(event.epoch(alert.at)),
                    "count": alert.count,
                }
                for alert in alerts
            ],
        },
    }
