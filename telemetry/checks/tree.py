"""The checks of the tree: what is down, and whether requests have a model to go to."""

from __future__ import annotations

from failsoft.actors import System, TreeNode
from failsoft.telemetry.health_check import HealthCheck, Unhealthy
from failsoft.telemetry.probes import is_up, loads_first, nodes, routes_in_trouble, shortened

_READY = ("ready", "busy")


def models_check(*, critical: bool = True, interval: float = 5.0) -> HealthCheck:
    """Fail where a router, or a supervisor of models, has no model to ask.

    Not while one of its models is on its first load, nor while the service starts or stops.
    """

    async def run(system: System) -> None:
        tree = system.tree()
        troubles = routes_in_trouble(tree) if is_up(tree) else ()
        if troubles:
            raise Unhealthy("; ".join(shortened(troubles)))

    return HealthCheck("models", run, critical, interval)


def tree_check(*, critical: bool = False, interval: float = 5.0) -> HealthCheck:
    """Fail where an actor is down, for its supervisor to start it later, or a model isn't ready.

    Not for a model on its first load, nor while the service starts or stops.
    """

    async def run(system: System) -> None:
        tree = system.tree()
        now = system.clock.now()
        found = (_trouble(node, now) for node in nodes(tree)) if is_up(tree) else ()
        troubles = tuple(words for words in found if words)
        if troubles:
            raise Unhealthy("; ".join(shortened(troubles)))

    return HealthCheck("tree", run, critical, interval)


def _trouble(node: TreeNode, now: float) -> str:
    if node.waiting_until is not None:
        return f"{node.path} is down for {max(0.0, node.waiting_until - now):.0f} s more"
    state = node.shows.get("model_state", "ready")
    return "" if state in _READY or loads_first(node) else f"{node.path} is {state}"
