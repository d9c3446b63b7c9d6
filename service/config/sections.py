"""Sections: what a file says of the service as a whole. All of it may be left out."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from failsoft.service.config.health import HealthConfig
from failsoft.service.config.models import ModelConfig, Seconds
from failsoft.service.config.reader import PathText
from failsoft.service.config.receivers import AnyReceiver
from failsoft.service.config.routes import RouteConfig
from failsoft.service.config.secret import OpenOrSecret
from failsoft.service.http import HttpPolicy
from failsoft.supervisors import Backoff, Degradation, Intensity, Strategy
from failsoft.telemetry import AlertRule

Port: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    def said(self, *names: str) -> dict[str, Any]:
        """Give those of the fields that say something."""
        return {name: value for name in names if (value := getattr(self, name)) is not UNSET}


class ServiceConfig(_Section, frozen=True, kw_only=True):
    """Say where the service listens, and who may ask.

    host, port: where it listens; port 0 is any that is free.
    grace: seconds in which what is in hand may be done, once it is told to end.
    keys_file: of the callers' keys, as docs/service.md has it; without it anybody may ask.
    operator_hash: the SHA-256 of the operators' token; without it what they can do is off.
    bounds: how much a caller may ask for.
    """

    host: str | UnsetType = UNSET
    port: Port | UnsetType = UNSET
    grace: Seconds | UnsetType = UNSET
    keys_file: PathText | UnsetType = UNSET
    operator_hash: OpenOrSecret | UnsetType = UNSET
    bounds: HttpPolicy = HttpPolicy()


class LoggingConfig(_Section, frozen=True, kw_only=True):
    """Say what is logged, to stderr.

    format: ``json``, a line each; or ``console``, which it is on a terminal where nothing is said.
    level: the least that is written.
    """

    format: Literal["json", "console"] | UnsetType = UNSET
    level: Literal["debug", "info", "warning", "error"] | UnsetType = UNSET


class TelemetryConfig(_Section, frozen=True, kw_only=True):
    """Say what is told of the tree.

    metrics, errors, alerts: the actors below ``root/telemetry``.
    health: the checks; ``false`` has none.
    flight: keep the last events, and write them to ``flight_folder`` when a supervisor escalates
        or at SIGUSR1.
    flight_folder: the folder that the service is started in, where none is named.
    traces, otlp: spans of requests, and metrics, to OpenTelemetry's collector; both are set by its
        environment variables, and need the extra ``otel``.
    source: whose alerts these are; the machine's name, where nothing is said.
    rules: of alerts, besides those that are there by default, or in place of the one so named.
    receivers: where alerts are sent; to the log they are written always.
    """

    metrics: bool = True
    errors: bool = True
    health: HealthConfig | None = HealthConfig()
    alerts: bool = True
    flight: bool = True
    flight_folder: PathText | UnsetType = UNSET
    traces: bool = False
    otlp: bool = False
    source: str | UnsetType = UNSET
    rules: tuple[AlertRule, ...] = ()
    receivers: tuple[AnyReceiver, ...] = ()

    def __post_init__(self) -> None:
        if self.receivers and not self.alerts:
            raise ValueError("receivers get nothing while alerts are off; take one of them out")
        if self.otlp and not self.metrics:
            raise ValueError("otlp sends the metrics, which are off; take one of them out")


class SupervisorConfig(_Section, frozen=True, kw_only=True):
    """Say how the root goes about the routes and the telemetry below it."""

    strategy: Strategy | UnsetType = UNSET
    intensity: Intensity | UnsetType = UNSET
    backoff: Backoff | UnsetType = UNSET


class TreeConfig(_Section, frozen=True, kw_only=True):
    """Describe a service: its models, the routes to them, and all around them.

    models, routes: by their names, which callers use.
    degradation: at what load requests get less; without it the load isn't read. Routes take it
        where they have none of their own.
    """

    models: Annotated[dict[str, ModelConfig], Meta(min_length=1)]
    routes: Annotated[dict[str, RouteConfig], Meta(min_length=1)]
    degradation: Degradation | UnsetType = UNSET
    service: ServiceConfig = ServiceConfig()
    logging: LoggingConfig = LoggingConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    supervisor: SupervisorConfig = SupervisorConfig()
