"""Telemetry: metrics, health and logs, from events that the tree publishes.

Needs the extra ``serve`` (prometheus-client).
"""

from failsoft.telemetry.health import (
    CheckResult,
    GetHealth,
    HealthActor,
    HealthCheck,
    HealthReport,
)
from failsoft.telemetry.log import add_actor, configure_logging, log_events
from failsoft.telemetry.metrics import Metrics, MetricsActor, Scrape

__all__ = [
    "CheckResult",
    "GetHealth",
    "HealthActor",
    "HealthCheck",
    "HealthReport",
    "Metrics",
    "MetricsActor",
    "Scrape",
    "add_actor",
    "configure_logging",
    "log_events",
]
