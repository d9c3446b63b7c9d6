"""Read the tree's picture into metrics: what is now, and what no event tells."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from failsoft.actors import ModelState, System, TreeNode
from failsoft.telemetry.active_requests import ActiveRequests
from failsoft.telemetry.metrics import Metrics
from failsoft.telemetry.probes import candidates_of, degradation_of, nodes

# A picture of more actors takes too long for the event loop at each scrape: then only of those
# with children, routers and pools among them, which tell of the models in front of which they are.
MOST_ACTORS: Final = 1000
CIRCUIT_STATES = ("closed", "open", "half_open")
LEVELS = ("full", "reduced", "minimal")
HEALTH_STATES = ("healthy", "degraded", "critical")
MODEL_STATES = tuple(state.value for state in ModelState)


def refresh(metrics: Metrics, system: System) -> None:
    """Bring up to date what no event tells: the tree's picture, and what was counted elsewhere."""
    is_whole = sum(1 for _ in system.paths) <= MOST_ACTORS
    tree = system.tree(leaves=is_whole)
    read_tree(metrics, tree)
    if not is_whole:
        metrics.forget_unseen({node.path for node in nodes(tree)})
    metrics.tasks.set(to=len(asyncio.all_tasks()))
    metrics.dead_letters.catch_up(system.dead_letters.counts())
    metrics.refused.catch_up(metrics.refused_labels)
    for kind, count in system.extension(ActiveRequests).counts.items():
        metrics.http_active.set(*kind, to=count)


def read_tree(metrics: Metrics, tree: tuple[TreeNode, ...]) -> None:
    """Set the metrics that tell what is now from what each actor of the ``tree`` shows."""
    for node in nodes(tree):
        metrics.mailbox.set(node.path, "control", to=node.control_depth)
        metrics.mailbox.set(node.path, "work", to=node.work_depth)
        _read_shown(metrics, node)


def _read_shown(metrics: Metrics, node: TreeNode) -> None:
    path = node.path
    for model, info in (candidates_of(node) or {}).items():
        _read_candidate(metrics, path, model, info)
    if isinstance(state := node.shows.get("model_state"), str):
        metrics.model_state.set_one_of(path, state, states=MODEL_STATES)
        _read_worker(metrics, path, node.shows)
    if (told := degradation_of(node)) is not None:
        level, load = told
        metrics.degradation.set_one_of(level, states=LEVELS)
        if load is not None:
            metrics.load.set(path, to=load)


def _read_worker(metrics: Metrics, path: str, shows: dict[str, Any]) -> None:
    levels = {
        "batch": metrics.batch,
        "rss_bytes": metrics.worker_memory,
        "device_bytes": metrics.worker_device_memory,
    }
    for name, level in levels.items():
        if name in shows:
            level.set(path, to=shows[name])


def _read_candidate(metrics: Metrics, path: str, model: str, info: dict[str, Any]) -> None:
    metrics.breaker.set_one_of(path, model, info["circuit"], states=CIRCUIT_STATES)
    metrics.in_flight.set(path, model, to=info["in_flight"])
    metrics.waiting.set(path, model, to=info["waiting"])
