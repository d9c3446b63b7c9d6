"""What the service tells of itself: its state, its errors, its metrics and its tree."""

from __future__ import annotations

from typing import Final

import msgspec

from failsoft.actors import Ref, TreeNode
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.refusals import NotFound
from failsoft.service.http.telemetry_actors import find_actor
from failsoft.telemetry import ErrorReport, GetErrors, HourSummary, Scrape
from failsoft.telemetry.probes import (
    candidates_of,
    degradation,
    model_states,
    nodes,
    readiness,
)

_ASK_LIMIT: Final = 5.0
_TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"


class StatusAnswer(msgspec.Struct, frozen=True):
    """Tell how the service is, in short.

    status: ``up`` where requests are taken and there are models to answer them, else ``draining``
        or ``down``. in_hand: requests for models, over HTTP. models: path → state.
    breakers: a candidate's path → its circuit's state. degradation_level: what the load allows.
    restarts: of all actors. last_hour: of errors; None without an errors actor.
    at: on the system's clock, as are the times of ``/tree``.
    """

    status: str
    in_hand: int
    models: dict[str, str]
    breakers: dict[str, str]
    degradation_level: str
    restarts: int
    last_hour: HourSummary | None
    at: float


async def status(exchange: Exchange) -> None:
    """Answer with the service's state."""
    gateway = exchange.gateway
    tree = gateway.tree()
    errors = find_actor(gateway.system, "ErrorsActor", tree)
    report = None if errors is None else await errors.ask(GetErrors(), timeout=_ASK_LIMIT)
    up = "up" if readiness(tree).ok else "down"
    await exchange.answer(
        StatusAnswer(
            status="draining" if gateway.is_draining else up,
            in_hand=gateway.in_hand,
            models=model_states(tree),
            breakers=_breakers(tree),
            degradation_level=degradation(tree)[0],
            restarts=sum(node.restarts for node in nodes(tree)),
            last_hour=None if report is None else report.last_hour,
            at=gateway.system.clock.now(),
        )
    )


async def error_metrics(exchange: Exchange) -> None:
    """Answer with what went wrong."""
    await exchange.answer(
        await _actor(exchange, "ErrorsActor").ask(GetErrors(), timeout=_ASK_LIMIT)
    )


async def metrics(exchange: Exchange) -> None:
    """Answer with all metrics: in OpenMetrics where that is accepted, else in Prometheus's text."""
    is_open = b"application/openmetrics-text" in exchange.headers.get(b"accept", b"")
    scrape = Scrape("openmetrics" if is_open else "text")
    said = await _actor(exchange, "MetricsActor").ask(scrape, timeout=_ASK_LIMIT)
    await exchange.answer(said, kind=_OPENMETRICS if is_open else _TEXT)


async def tree(exchange: Exchange) -> None:
    """Answer with a picture of all actors."""
    await exchange.answer(exchange.gateway.tree())


def _actor(exchange: Exchange, kind: str) -> Ref:
    ref = find_actor(exchange.gateway.system, kind, exchange.gateway.tree())
    if ref is None:
        raise NotFound(f"The tree has no {kind}; add one, as docs/telemetry.md shows.")
    return ref


def _breakers(tree: tuple[TreeNode, ...]) -> dict[str, str]:
    return {
        f"{node.path}/{id}": info["circuit"]
        for node in nodes(tree)
        for id, info in (candidates_of(node) or {}).items()
    }


STATUS: Final = (
    Endpoint(
        method="GET",
        path="/status",
        summary="Tell the service's state: models, circuits, load, the last hour's errors.",
        handler=status,
        reply=StatusAnswer,
    ),
    Endpoint(
        method="GET",
        path="/error_metrics",
        summary="Tell what went wrong: rates, patterns, spikes, the last errors.",
        handler=error_metrics,
        reply=ErrorReport,
    ),
    Endpoint(
        method="GET", path="/metrics", summary="Give all metrics, for Prometheus.", handler=metrics
    ),
    Endpoint(
        method="GET",
        path="/tree",
        summary="Show all actors.",
        handler=tree,
        reply=tuple[TreeNode, ...],
    ),
)
