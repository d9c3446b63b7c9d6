"""Building: a service made of what its file says; nothing of it runs yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import UNSET

from failsoft import telemetry
from failsoft.service.config.candidates import candidate_of
from failsoft.service.config.health import HealthConfig
from failsoft.service.config.lineup import lineups
from failsoft.service.config.models import RemoteModelConfig, WorkerModel
from failsoft.service.config.paths import check_regular
from failsoft.service.config.receivers import ReceiverConfig
from failsoft.service.config.secret import Secrets
from failsoft.service.config.sections import ServiceConfig, TelemetryConfig, TreeConfig
from failsoft.service.config.served_route import ServedRoute
from failsoft.service.config.telemetry_tree import ROOT, recorder_of, telemetry_of
from failsoft.service.http import ApiKeys, FailsoftApp, failsoft_app
from failsoft.service.http.callers import check_hash
from failsoft.supervisors import ChildSpec, supervisor
from failsoft.telemetry import AlertBook, AlertRule


class Built(NamedTuple):
    """Hold what a service is made of. beside: trees that stand beside the root."""

    root: ChildSpec
    beside: tuple[ChildSpec, ...]
    routes: dict[str, ServedRoute]
    app: FailsoftApp


def build(tree: TreeConfig, secrets: Secrets) -> Built:
    """Make the service. Raise ValueError, OSError, ImportError."""
    routes = {
        name: ServedRoute(name, lineup, tree.degradation, secrets)
        for name, lineup in lineups(tree).items()
    }
    root = supervisor(
        ROOT,
        telemetry_of(tree, secrets),
        *(route.spec for route in routes.values()),
        **tree.supervisor.said("strategy", "intensity", "backoff"),
    )
    recorder = recorder_of(tree)
    beside = () if recorder is None else (recorder,)
    app = failsoft_app(
        root,
        beside=beside,
        routes=paths_of(routes),
        policy=tree.service.bounds,
        keys=keys_of(tree.service),
        operator_hash=operator_hash_of(tree.service, secrets),
    )
    return Built(root, beside, routes, app)


def paths_of(routes: Mapping[str, ServedRoute]) -> dict[str, str]:
    """Give each name that callers may use, with the path of who answers."""
    return {
        called: f"{ROOT}/{route.id}"
        for name, route in routes.items()
        for called in (name, *route.lineup.route.aliases)
    }


def keys_of(service: ServiceConfig) -> ApiKeys | None:
    """Read the callers' keys. Raise ValueError, OSError."""
    if service.keys_file is UNSET:
        return None
    file = Path(service.keys_file)
    check_regular(file)
    return ApiKeys.from_file(file)


def operator_hash_of(service: ServiceConfig, secrets: Secrets) -> str | None:
    """Give the hash of the operators' token. Raise ValueError."""
    if service.operator_hash is UNSET:
        return None
    digest = secrets.open_or_secret(service.operator_hash)
    check_hash(digest)
    return digest


def check_part(part: object, secrets: Secrets) -> None:
    """Make what a part of a file describes. Raise ValueError where that can't be."""
    try:
        match part:
            case WorkerModel() | RemoteModelConfig():
                candidate_of("model", part, secrets).start()  # type: ignore[arg-type]
            case ReceiverConfig():
                part.destination(secrets)
            case ServiceConfig():
                keys_of(part)
                operator_hash_of(part, secrets)
            case HealthConfig():
                part.checks()
            case AlertRule():
                AlertBook([part])
            case TelemetryConfig():
                AlertBook(part.rules)
                if part.traces or part.otlp:
                    _ = telemetry.TracesActor  # loaded by this, where the extra is there
    except OSError as error:
        raise ValueError(f"keys_file can't be read: {error.strerror}") from error
    except ImportError as error:
        raise ValueError(f"traces and otlp: {error}") from error
