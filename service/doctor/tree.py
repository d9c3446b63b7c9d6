"""What a file's tree lacks, though nothing in it is wrong. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import UNSET

from failsoft.service.config.models import (
    ImageModel,
    LoadedModel,
    ModelConfig,
    RemoteModelConfig,
    WorkerModel,
)
from failsoft.service.config.placement import ON_RAY, Placed
from failsoft.service.config.sections import TreeConfig
from failsoft.service.doctor.finding import Finding, fail, ok, warn
from failsoft.service.doctor.machine import size
from failsoft.telemetry import HealthCheck

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def fallbacks(tree: TreeConfig) -> Finding:
    """Check that each route has somebody to ask while its first model is down."""
    alone = [name for name, route in tree.routes.items() if len(route.models) == 1]
    if alone:
        return warn(
            "fallbacks",
            f"one model alone in {_listed(alone)}: while it is down, requests wait, or are refused",
            'Name a second model in the route: a smaller one, or one elsewhere (kind = "remote").',
        )
    return ok("fallbacks", f"each of {len(tree.routes)} routes has two models or more")


def breakers(tree: TreeConfig) -> Finding:
    """Check that each model that a route asks has a circuit in front of it."""
    bare = [
        f"{name}/{model}"
        for name, route in tree.routes.items()
        for model in route.models
        if route.breaker is None and tree.models[model].breaker is UNSET
    ]
    if bare:
        return warn(
            "circuits",
            f"none in front of {_listed(bare)}: each request tries a model that keeps failing",
            "Leave out `breaker = false`.",
        )
    return ok("circuits", "one in front of each model")


def health_checks(tree: TreeConfig, checks: Sequence[HealthCheck]) -> Finding:
    """Check that health is looked at; checks: which are, by default."""
    if not tree.telemetry.health:
        return warn("health checks", "off: /health tells what the tree tells", "Set health = true.")
    critical = [check.name for check in checks if check.critical]
    others = [check.name for check in checks if not check.critical]
    if not critical:
        remedy = "Mark what the service can't do without: critical=True."
        return warn("health checks", f"none is critical: {_listed(others)}", remedy)
    return ok("health checks", f"critical: {_listed(critical)}; others: {_listed(others)}")


def metrics(tree: TreeConfig) -> Finding:
    """Check that somebody counts."""
    if not tree.telemetry.metrics:
        return warn("metrics", "off: /metrics has nothing", "Set metrics = true.")
    return ok("metrics", "at /metrics" + (", and sent by OTLP" if tree.telemetry.otlp else ""))


def alerts(tree: TreeConfig) -> Finding:
    """Check that somebody is told."""
    if not tree.telemetry.alerts:
        return warn("alerts", "off: nobody is told of an outage", "Set alerts = true.")
    if not tree.telemetry.receivers:
        return warn(
            "alerts",
            "they go to the log alone",
            "Add [[telemetry.receivers]], or have Prometheus tell by the rules that ship.",
        )
    return ok("alerts", f"{len(tree.telemetry.receivers)} receivers")


def access(tree: TreeConfig) -> Iterator[Finding]:
    """Check who may ask, and who may steer."""
    service = tree.service
    host = "127.0.0.1" if service.host is UNSET else service.host
    if service.keys_file is not UNSET:
        yield ok("callers", "need a key")
    elif host in _LOOPBACK:
        yield ok("callers", f"need no key; only this machine reaches {host}")
    else:
        yield warn(
            "callers",
            f"need no key, and whoever reaches {host} may ask",
            "Set keys_file, or have what stands in front ask for one.",
        )
    if service.operator_hash is UNSET:
        yield warn(
            "operators",
            "can do nothing: no restart, no drain",
            "Set operator_hash, the SHA-256 of a token of theirs.",
        )
    else:
        yield ok("operators", "have a token")


def room(models: Sequence[Placed]) -> Iterator[Finding]:
    """Check that each model whose size is known has room where it goes."""
    for each in models:
        if each.device in (None, ON_RAY) or each.bytes is None:
            continue
        check = f"model {each.model}"
        times = f"{each.workers} times " if each.workers > 1 else ""
        found = f"{times}{size(each.bytes)} on {each.device}"
        match each.fits:
            case True:
                yield ok(check, found)
            case False:
                remedy = "Name a smaller model, a dtype of half the size, or another device."
                yield fail(check, f"{found}: there is no room for it", remedy)
            case None:
                yield warn(check, f"{found}: what is free isn't known", "See the line on devices.")


def sources(
    models: Sequence[Placed], *, is_offline: bool, trouble_with: Callable[[str], str]
) -> Iterator[Finding]:
    """Check the models that are still to be fetched.

    is_offline: nothing may be fetched. trouble_with: why one can't be, or empty.
    """
    for each in models:
        if each.bytes is not None:
            continue
        check, found = f"model {each.model}", f"{each.source} isn't on this machine"
        remedy = f"Fetch it before: `hf download {each.source}`."
        if is_offline:
            yield fail(check, f"{found}, and HF_HUB_OFFLINE is set", remedy)
        elif trouble := trouble_with(each.source):
            yield fail(check, f"{found}, and can't be fetched: {trouble}", remedy)
        else:
            yield warn(check, f"{found}: its first start fetches it, while requests wait", remedy)


def extras_used(tree: TreeConfig) -> frozenset[str]:
    """Give the extras without which what the tree names can't run."""
    used = {"serve"}
    for model in tree.models.values():
        used |= _extras_of(model)
    if tree.telemetry.receivers:
        used.add("alerts")
    if tree.telemetry.otlp or tree.telemetry.traces:
        used.add("otel")
    return frozenset(used)


def _extras_of(model: ModelConfig) -> set[str]:
    if isinstance(model, WorkerModel) and model.placement is not UNSET:
        return {"ray"}
    match model:
        case ImageModel():
            return {"image", "torch"}
        case LoadedModel():
            return {"torch"}
        case RemoteModelConfig():
            return {"remote"}
        case _:
            return set()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
