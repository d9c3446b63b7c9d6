"""Telemetry: metrics, errors, health and logs, from events that the tree publishes.

Needs the extra ``serve`` (prometheus-client).
"""

from failsoft.telemetry.error_log import (
    ErrorLog,
    ErrorPolicy,
    ErrorRecord,
    ErrorReport,
    HourSummary,
)
from failsoft.telemetry.errors import ErrorsActor, GetErrors
from failsoft.telemetry.events import ErrorSpiked, ErrorSpikeEnded
from failsoft.telemetry.health import (
    CheckResult,
    GetHealth,
    HealthActor,
    HealthCheck,
    HealthReport,
)
from failsoft.telemetry.log import add_actor, configure_logging, log_events
from failsoft.telemetry.metrics import Metrics
from failsoft.telemetry.metrics_actor import MetricsActor, Scrape
from failsoft.telemetry.spikes import Spike, SpikeDetector, SpikePolicy
from failsoft.telemetry.timeline import Timeline

__all__ = [
    "CheckResult",
    "ErrorLog",
    "ErrorPolicy",
    "ErrorRecord",
    "ErrorReport",
    "ErrorSpikeEnded",
    "ErrorSpiked",
    "ErrorsActor",
    "GetErrors",
    "GetHealth",
    "HealthActor",
    "HealthCheck",
    "HealthReport",
    "HourSummary",
    "Metrics",
    "MetricsActor",
    "Scrape",
    "Spike",
    "SpikeDetector",
    "SpikePolicy",
    "Timeline",
    "add_actor",
    "configure_logging",
    "log_events",
]
