"""Alerts that tests send to receivers."""

from __future__ import annotations

from failsoft.actors import System
from failsoft.telemetry import Alert, AlertsChanged

EPOCH = 1_800_000_000.0
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def alert(key: str = "root/text/primary", **fields: object) -> Alert:
    usual: dict[str, object] = {
        "rule": "circuit_open",
        "key": key,
        "severity": "error",
        "status": "firing",
        "summary": "the circuit in front of <primary> & co is open",
        "since": 100.0,
        "at": 110.0,
        "count": 1,
    }
    return Alert(**{**usual, **fields})  # type: ignore[arg-type]


def changed(*alerts: Alert) -> AlertsChanged:
    return AlertsChanged(
        path="alerts", at=110.0, id="0af7651916cd43dd", source="gpu-1", time=EPOCH, alerts=alerts
    )


def tell(system: System, *alerts: Alert) -> None:
    """Publish these alerts, as the alerts actor does."""
    system.events.publish(
        AlertsChanged,
        "alerts",
        id="0af7651916cd43dd",
        source="gpu-1",
        time=EPOCH,
        alerts=alerts,
    )


RESOLVED = alert(status="resolved", count=0)
DISK = alert("health", rule="health_critical", severity="critical", summary="disk", count=3)
