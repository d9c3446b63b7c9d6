"""The telemetry of a tree that a file describes: what listens, and who is told."""

from __future__ import annotations

import functools
from pathlib import Path
from signal import SIGUSR1

from msgspec import UNSET

from failsoft.service.config.secret import Secrets
from failsoft.service.config.sections import TelemetryConfig, TreeConfig
from failsoft.supervisors import ChildSpec, Intensity, LoadActor, child, supervisor
from failsoft.telemetry import (
    DEFAULT_RULES,
    AlertBook,
    AlertReceiver,
    AlertsActor,
    ErrorLog,
    ErrorsActor,
    FlightRecorder,
    FlightRings,
    Health,
    HealthActor,
    Metrics,
    MetricsActor,
)

ROOT = "root"
TELEMETRY = "telemetry"
RECORDER = "recorder"


def telemetry_of(tree: TreeConfig, secrets: Secrets) -> ChildSpec:
    """Describe the supervisor of what listens to the tree. Raise ValueError, ImportError."""
    config = tree.telemetry
    children: list[ChildSpec] = []
    if config.metrics:
        metrics = Metrics()
        children.append(child("metrics", functools.partial(MetricsActor, metrics)))
        if config.otlp:
            from failsoft.telemetry import OtlpActor

            children.append(child("otlp", functools.partial(OtlpActor, metrics)))
    if config.errors:
        children.append(child("errors", functools.partial(ErrorsActor, ErrorLog())))
    if config.health is not None:
        health = Health(config.health.checks())
        children.append(child("health", functools.partial(HealthActor, health)))
    if config.traces:
        from failsoft.telemetry import TracesActor

        children.append(child("traces", TracesActor))
    if config.alerts:
        children += alerts_of(tree, secrets)
    if tree.degradation is not UNSET:
        children.append(child("load", functools.partial(LoadActor, tree.degradation)))
    return supervisor(TELEMETRY, *children, strategy="rest_for_one")


def alerts_of(tree: TreeConfig, secrets: Secrets) -> list[ChildSpec]:
    """Describe the receivers and the alerts actor, in this order: its last words are sent yet."""
    config = tree.telemetry
    receivers = [
        child(
            each.called,
            functools.partial(
                AlertReceiver,
                each.destination(secrets),
                **({} if each.retry is UNSET else {"retry": each.retry}),
            ),
        )
        for each in config.receivers
    ]
    alerts = functools.partial(AlertsActor, book_of(config), **config.said("source"))
    return [*receivers, child("alerts", alerts)]


def book_of(config: TelemetryConfig) -> AlertBook:
    """Make the alerts' book, by the rules that there are. Raise ValueError."""
    own = {rule.name: rule for rule in config.rules}
    return AlertBook(tuple(({rule.name: rule for rule in DEFAULT_RULES} | own).values()))


def recorder_of(tree: TreeConfig) -> ChildSpec | None:
    """Describe what records the tree. It stands beside the root, to hear of that one's end."""
    if not tree.telemetry.flight:
        return None
    folder = tree.telemetry.flight_folder
    flight = functools.partial(
        FlightRecorder,
        Path.cwd() if folder is UNSET else Path(folder),
        FlightRings(),
        signals=(SIGUSR1,),
    )
    # More than its backoff allows: whatever ails it, the tree goes on.
    return supervisor(RECORDER, child("flight", flight), intensity=Intensity(100))
