"""The model check: a canary of one token, while the model has nothing else to do."""

from __future__ import annotations

from typing import Any, Final

from failsoft.actors import System
from failsoft.messages import GenerateText, InferenceTimeout, ModelOverloaded, Request
from failsoft.telemetry.health_check import HealthCheck, Unhealthy
from failsoft.telemetry.probes import nodes

CANARY: Final = GenerateText("Hello", max_tokens=1, temperature=0.0, priority=-1_000)
_PROGRESS: Final = ("steps", "tokens", "answered")


def model_check(
    path: str,
    *,
    canary: Request[Any] = CANARY,
    critical: bool = False,
    interval: float = 30.0,
    timeout: float = 10.0,
) -> HealthCheck:
    """Fail where the idle model at ``path`` doesn't answer ``canary`` within ``timeout`` seconds.

    It asks the model itself, past its router. A busy model isn't asked: whether it gets on is
    watched by its worker's handle, which kills one that hangs. Nor is one that isn't ready.
    """

    async def run(system: System) -> None:
        before = _shown(system, path)
        if before.get("model_state") != "ready" or before.get("running"):
            return
        try:
            await system.ref(path).ask(canary, timeout=timeout)
        except (InferenceTimeout, ModelOverloaded):
            after = _shown(system, path)
            # Others came first, and it worked on theirs.
            if all(after.get(name) == before.get(name) for name in _PROGRESS):
                raise

    # The ask has its own end; this one is for what goes wrong with that.
    return HealthCheck(f"model {path}", run, critical, interval, timeout + 1.0)


def _shown(system: System, path: str) -> dict[str, Any]:
    for node in nodes(system.tree()):
        if node.path == path:
            return node.shows
    raise Unhealthy(f"there is no actor at {path}")
