"""The check of the template: whether worker processes that are asked for get made."""

from __future__ import annotations

from failsoft.actors import System
from failsoft.telemetry.health_check import HealthCheck, Unhealthy
from failsoft.telemetry.probes import nodes, shortened


def workers_check(
    *, limit: float = 60.0, critical: bool = False, interval: float = 10.0
) -> HealthCheck:
    """Fail where a model has waited for its worker process for over ``limit`` seconds.

    Workers are forked from a template process; it imports torch first, which takes seconds.
    """
    if not limit > 0:
        raise ValueError(f"limit must be over 0 s; it is {limit}")
    since: dict[str, float] = {}

    async def run(system: System) -> None:
        now = system.clock.now()
        waiting = [
            node.path
            for node in nodes(system.tree())
            if node.shows.get("model_state") == "starting" and "pid" in node.shows
        ]
        for path in since.keys() - set(waiting):
            del since[path]
        late = tuple(
            f"{path} has waited for its worker process for {now - began:.0f} s"
            for path in waiting
            if now - (began := since.setdefault(path, now)) > limit
        )
        if late:
            raise Unhealthy("; ".join(shortened(late)))

    return HealthCheck("workers", run, critical, interval)
