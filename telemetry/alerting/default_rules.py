"""The rules that a tree has where nobody gives it others."""

from __future__ import annotations

from typing import Final

from failsoft.telemetry.alerting.rules import AlertRule, EventPattern

_GONE: Final = EventPattern("ChildForgotten")
_IN_ROUTER: Final = ("path", "model")

ERROR_SPIKE: Final = AlertRule(
    name="error_spike",
    when=EventPattern("ErrorSpiked", key=("error_type",)),
    resolved_by=(EventPattern("ErrorSpikeEnded", key=("error_type",)),),
    summary="{error_type}: {rate:.0f} errors a minute, and {usual:.0f} as a rule",
)

# Half-open says nothing yet: the next probe closes the circuit, or opens it again.
CIRCUIT_OPEN: Final = AlertRule(
    name="circuit_open",
    when=EventPattern("BreakerChanged", key=_IN_ROUTER, one_of={"after": ("open",)}),
    resolved_by=(
        EventPattern("BreakerChanged", key=_IN_ROUTER, one_of={"after": ("closed",)}),
        _GONE,
    ),
    summary="the circuit in front of {model} is open; its fallbacks answer",
)

SUPERVISOR_ESCALATED: Final = AlertRule(
    name="supervisor_escalated",
    when=EventPattern("SupervisorEscalated"),
    resolved_by=(EventPattern("ChildRestarted"),),
    resolved_after=900.0,
    severity="critical",
    summary="{path} gave up: {child} failed too often",
)

WORKER_HUNG: Final = AlertRule(
    name="worker_hung",
    when=EventPattern("WorkerHung"),
    resolved_by=(
        EventPattern("WorkerReady"),
        EventPattern("StandbyPromoted"),
        EventPattern("StandbyReady"),  # where it was the spare that hung
        _GONE,
    ),
    summary="the worker of {path} made no progress, and was killed",
)

MODEL_LEFT_ALONE: Final = AlertRule(
    name="model_left_alone",
    when=EventPattern("ChildCooledDown"),
    resolved_by=(EventPattern("ChildRestarted"), _GONE),
    summary="{path} failed too often, and is left alone for {seconds:.0f} s",
)

MODEL_NOT_READY: Final = AlertRule(
    name="model_not_ready",
    when=EventPattern(
        "ModelStateChanged", one_of={"after": ("starting", "loading", "warming", "failed")}
    ),
    resolved_by=(
        EventPattern("ModelStateChanged", one_of={"after": ("ready", "busy", "draining")}),
        _GONE,
    ),
    holds_for=300.0,
    summary="{path} has not been ready for 5 minutes; it is {after}",
)

HEALTH_CRITICAL: Final = AlertRule(
    name="health_critical",
    when=EventPattern("HealthChanged", one_of={"after": ("critical",)}),
    resolved_by=(EventPattern("HealthChanged", one_of={"after": ("healthy", "degraded")}),),
    severity="critical",
    summary="the service is critical: {critical_failures}",
)

# For the other receivers; and an hour, since the one that gets nothing isn't helped by more.
ALERT_LOST: Final = AlertRule(
    name="alert_lost",
    when=EventPattern("AlertLost"),
    resolved_by=(EventPattern("AlertSent"),),
    cooldown=3600.0,
    severity="warning",
    summary="alerts don't get through {path}: {reason}",
)

DEFAULT_RULES: Final = (
    ERROR_SPIKE,
    CIRCUIT_OPEN,
    SUPERVISOR_ESCALATED,
    WORKER_HUNG,
    MODEL_LEFT_ALONE,
    MODEL_NOT_READY,
    HEALTH_CRITICAL,
    ALERT_LOST,
)
