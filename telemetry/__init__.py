"""Telemetry: metrics, errors, alerts, health and logs, from events that the tree publishes.

Needs the extra ``serve`` (prometheus-client); to send alerts, ``alerts`` (httpx2, aiosmtplib); for
traces and OTLP, ``otel``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from failsoft.telemetry.alerting.alert import Alert
from failsoft.telemetry.alerting.book import AlertBook, AlertReport
from failsoft.telemetry.alerting.default_rules import DEFAULT_RULES
from failsoft.telemetry.alerting.delivery import Delivery, Destination, NotDelivered
from failsoft.telemetry.alerting.mail import Email
from failsoft.telemetry.alerting.pagerduty import PagerDuty
from failsoft.telemetry.alerting.receiver import AlertReceiver
from failsoft.telemetry.alerting.retry import RetryPolicy
from failsoft.telemetry.alerting.rules import AlertRule, EventPattern
from failsoft.telemetry.alerting.slack import Slack
from failsoft.telemetry.alerting.webhook import Webhook
from failsoft.telemetry.alerts import AlertsActor, GetAlerts
from failsoft.telemetry.error_log import (
    ErrorLog,
    ErrorPolicy,
    ErrorRecord,
    ErrorReport,
    HourSummary,
)
from failsoft.telemetry.errors import ErrorsActor, GetErrors
from failsoft.telemetry.events import (
    AlertLost,
    AlertsChanged,
    AlertSent,
    ErrorSpiked,
    ErrorSpikeEnded,
    FlightWritten,
    HealthChanged,
)
from failsoft.telemetry.flight import DumpFlight, FlightNotWritten, FlightRecorder
from failsoft.telemetry.flight_file import (
    Flight,
    FlightHeader,
    NotAFlight,
    UnknownEvent,
    read_flight,
)
from failsoft.telemetry.flight_rings import FlightRings
from failsoft.telemetry.flight_story import Story, story_of
from failsoft.telemetry.health import Health, HealthReport
from failsoft.telemetry.health_actor import GetHealth, HealthActor
from failsoft.telemetry.health_check import CheckResult, CheckUnavailable, HealthCheck, Unhealthy
from failsoft.telemetry.log import add_actor, configure_logging, make_safe
from failsoft.telemetry.log_events import log_events
from failsoft.telemetry.metrics import Metrics
from failsoft.telemetry.metrics_actor import MetricsActor, Scrape
from failsoft.telemetry.probes import Probe
from failsoft.telemetry.spikes import Spike, SpikeDetector, SpikePolicy
from failsoft.telemetry.timeline import Timeline

if TYPE_CHECKING:
    from failsoft.telemetry.otlp_actor import OtlpActor as OtlpActor
    from failsoft.telemetry.traces import Traces as Traces
    from failsoft.telemetry.traces_actor import TracesActor as TracesActor

# Loaded when first used: they need OpenTelemetry, which no other part does.
_OTEL = {"OtlpActor": "otlp_actor", "Traces": "traces", "TracesActor": "traces_actor"}

__all__ = [
    "DEFAULT_RULES",
    "Alert",
    "AlertBook",
    "AlertLost",
    "AlertReceiver",
    "AlertReport",
    "AlertRule",
    "AlertSent",
    "AlertsActor",
    "AlertsChanged",
    "CheckResult",
    "CheckUnavailable",
    "Delivery",
    "Destination",
    "DumpFlight",
    "Email",
    "ErrorLog",
    "ErrorPolicy",
    "ErrorRecord",
    "ErrorReport",
    "ErrorSpikeEnded",
    "ErrorSpiked",
    "ErrorsActor",
    "EventPattern",
    "Flight",
    "FlightHeader",
    "FlightNotWritten",
    "FlightRecorder",
    "FlightRings",
    "FlightWritten",
    "GetAlerts",
    "GetErrors",
    "GetHealth",
    "Health",
    "HealthActor",
    "HealthChanged",
    "HealthCheck",
    "HealthReport",
    "HourSummary",
    "Metrics",
    "MetricsActor",
    "NotAFlight",
    "NotDelivered",
    "OtlpActor",
    "PagerDuty",
    "Probe",
    "RetryPolicy",
    "Scrape",
    "Slack",
    "Spike",
    "SpikeDetector",
    "SpikePolicy",
    "Story",
    "Timeline",
    "Traces",
    "TracesActor",
    "Unhealthy",
    "UnknownEvent",
    "Webhook",
    "add_actor",
    "configure_logging",
    "log_events",
    "make_safe",
    "read_flight",
    "story_of",
]


def __getattr__(name: str) -> Any:
    if name not in _OTEL:
        raise AttributeError(f"module 'failsoft.telemetry' has no attribute {name!r}")
    try:
        module = importlib.import_module(f"failsoft.telemetry.{_OTEL[name]}")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"{name} needs the package '{error.name}'; run pip install 'failsoft[otel]'."
        ) from error
    value = globals()[name] = getattr(module, name)
    return value
