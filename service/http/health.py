"""Health, and the probes of whatever runs the service."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from failsoft.actors import TreeNode
from failsoft.messages import InferenceError
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.telemetry_actors import ask_actor
from failsoft.telemetry import GetHealth, HealthReport, Probe
from failsoft.telemetry.probes import first_start, liveness, model_states, readiness

_ASK_LIMIT: Final = 2.0
_UNAVAILABLE: Final = 503
_STATUSES: Final = (200, _UNAVAILABLE)


async def health(exchange: Exchange) -> None:
    """Answer with 200 where the service is healthy or degraded, 503 where it is critical."""
    told = await _health(exchange)
    await exchange.answer(told, 503 if told.status == "critical" else 200)


async def _health(exchange: Exchange) -> HealthReport:
    """Give the health actor's report, or without one what the tree tells: there are no checks."""
    tree = _tree(exchange)
    live, ready, started = _live(tree), _ready(exchange, tree), _started(tree)
    if tree:
        system = exchange.gateway.system
        report = await ask_actor(system, tree, "HealthActor", GetHealth(), _ASK_LIMIT)
        if report is not None:
            return msgspec.structs.replace(report, live=live, ready=ready)
    failures = () if live.ok and (ready.ok or not started.ok) else ("tree",)
    status: Literal["healthy", "critical"] = "critical" if failures else "healthy"
    return HealthReport(status, failures, (), model_states(tree or ()), live, ready, started)


async def livez(exchange: Exchange) -> None:
    """Answer with 503 where the service must be started anew."""
    await _answer(exchange, _live(_tree(exchange)))


async def readyz(exchange: Exchange) -> None:
    """Answer with 503 where no requests should be sent here now."""
    await _answer(exchange, _ready(exchange, _tree(exchange)))


async def startupz(exchange: Exchange) -> None:
    """Answer with 503 until each model's first load has ended."""
    await _answer(exchange, _started(_tree(exchange)))


async def _answer(exchange: Exchange, probe: Probe) -> None:
    await exchange.answer(probe, 200 if probe.ok else _UNAVAILABLE)


def _tree(exchange: Exchange) -> tuple[TreeNode, ...] | None:
    try:
        return exchange.gateway.tree()
    except InferenceError:
        return None


_DOWN: Final = Probe(False, ("the supervision tree isn't running",))


def _live(tree: tuple[TreeNode, ...] | None) -> Probe:
    return liveness(tree) if tree else _DOWN


def _ready(exchange: Exchange, tree: tuple[TreeNode, ...] | None) -> Probe:
    if exchange.gateway.is_draining:
        return Probe(False, ("the service takes no more work",))
    return readiness(tree) if tree else _DOWN


def _started(tree: tuple[TreeNode, ...] | None) -> Probe:
    return first_start(tree) if tree else _DOWN


HEALTH: Final = (
    Endpoint(
        method="GET",
        path="/health",
        summary="Tell how the service is.",
        handler=health,
        reply=HealthReport,
        statuses=_STATUSES,
        access="open",
    ),
    *(
        Endpoint(
            method="GET",
            path=path,
            summary=summary,
            handler=handler,
            reply=Probe,
            statuses=_STATUSES,
            access="open",
        )
        for path, summary, handler in (
            ("/livez", "Tell whether the service must be started anew.", livez),
            ("/readyz", "Tell whether requests may be sent here.", readyz),
            ("/startupz", "Tell whether each model's first load has ended.", startupz),
        )
    ),
)
