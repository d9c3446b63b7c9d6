"""The tree that is disturbed: routers of all kinds, in front of scripted models."""

from __future__ import annotations

from typing import Any

from failsoft.gpu import WorkerSpec
from failsoft.gpu.script import Echo, Pause, Progress, Raise, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.supervisors import (
    Backoff,
    Breaker,
    Candidate,
    ChildSpec,
    Hedge,
    Intensity,
    model,
    router,
    supervisor,
)

BATCH = 4
# Short, so that thousands of failures fit into minutes. A tree of one's own has its defaults.
BACKOFF = Backoff(base=0.05, cap=0.5)
BREAKER = Breaker(open_seconds=0.2, longest_open=1.0, probe_seconds=3.0)

SCRIPT = Script(
    max_batch=BATCH,
    load=[Pause(0.03), Progress(1, 2), Pause(0.05), Progress(2, 2)],
    rules=[When("slowly", [Echo(0.02)]), When("wrongly", [Raise("invalid_input")])],
)
WORKER = scripted(
    SCRIPT,
    heartbeat_every=0.2,
    heartbeat_limit=1.5,
    hang_limit=5.0,
    first_step_limit=5.0,
    load_hang_limit=2.0,
    stop_grace=0.3,
    fault_hooks=True,
)
# How each router goes about it, and whether its first model has a spare worker.
ROUTERS: dict[str, tuple[dict[str, Any], tuple[str, ...], bool]] = {
    "fallback": ({}, ("primary", "understudy", "third"), False),
    "patient": ({"while_restarting": "wait", "while_busy": "wait"}, ("first", "second"), False),
    "hedged": ({"hedge": Hedge(minimum=5, least_seconds=0.05)}, ("left", "right"), False),
    "alone": ({"while_restarting": "wait"}, ("only",), True),
}


def tree(worker: WorkerSpec = WORKER) -> ChildSpec:
    """Describe it."""
    return supervisor("root", *(_router(name, worker) for name in ROUTERS))


def _router(name: str, worker: WorkerSpec) -> Candidate | ChildSpec:
    policy, models, has_standby = ROUTERS[name]
    candidates = (model(each, worker, shutdown=5.0, standby=has_standby) for each in models)
    return router(
        name,
        *candidates,
        backoff=BACKOFF,
        intensity=Intensity(max_restarts=1_000_000),
        retry_backoff=BACKOFF,
        breaker=BREAKER,
        **policy,
    )


def router_paths() -> list[str]:
    return [f"root/{name}" for name in ROUTERS]


def model_paths() -> list[str]:
    return [f"root/{name}/{each}" for name, (_, models, _) in ROUTERS.items() for each in models]
