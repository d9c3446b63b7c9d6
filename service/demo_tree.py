"""The demo's supervision tree, and an example to copy for your own.

root                      one_for_one
├── telemetry             rest_for_one    metrics, errors, health, webhook, alerts
└── text                  router          primary → understudy → stand-in
    ├── primary           model actor     SmolLM2 in a worker process
    ├── understudy        model actor     the same in another one, for shorter answers
    └── stand-in          model actor     the small model in the package, if all else fails
recorder                  one_for_one     beside the root, to hear of its end
└── flight                flight recorder

On a cluster the tree is the same, and its leaves move: the primary is a pool of two replicas, each
on a node of its own.
"""

from __future__ import annotations

import functools
from pathlib import Path

from failsoft.gpu import RayPlacement, text_worker
from failsoft.supervisors import (
    Backoff,
    ChildSpec,
    Intensity,
    child,
    model,
    pool,
    router,
    supervisor,
)
from failsoft.telemetry import (
    AlertReceiver,
    AlertsActor,
    ErrorLog,
    ErrorsActor,
    FlightRecorder,
    FlightRings,
    Health,
    HealthActor,
    Metrics,
    MetricsActor,
    Webhook,
)

CONTEXT_LENGTH = 2048
UNDERSTUDY_TOKENS = 24
REPLICAS = 2


def demo_tree(
    folder: Path,
    metrics: Metrics,
    errors: ErrorLog,
    webhook: Webhook,
    *,
    placement: RayPlacement | None = None,
    fault_hooks: bool = False,
) -> ChildSpec:
    """Describe the tree.

    folder: the language model's. metrics, errors: what outlives the actors that fill them.
    webhook: where alerts are sent. placement: of the primary's replicas, on a cluster.
    """
    # One thread each: two workers that share two cores must not fight over them.
    text = functools.partial(
        text_worker,
        folder,
        threads=1,
        context_length=CONTEXT_LENGTH,
        heartbeat_limit=2.0,
        # One at a time, so that a fault has one request to hit.
        max_batch=1,
        fault_hooks=fault_hooks,
    )
    if placement is None:
        primary = model("primary", text(), shutdown=2.0)
    else:
        primary = pool("primary", text(placement=placement), replicas=REPLICAS, shutdown=2.0)
    return supervisor(
        "root",
        supervisor(
            "telemetry",
            child("metrics", functools.partial(MetricsActor, metrics)),
            child("errors", functools.partial(ErrorsActor, errors)),
            child("health", functools.partial(HealthActor, Health())),
            # Before the alerts: what those say at their end is sent yet.
            child("webhook", functools.partial(AlertReceiver, webhook)),
            child("alerts", functools.partial(AlertsActor, source="demo")),
            strategy="rest_for_one",
        ),
        router(
            "text",
            primary,
            model("understudy", text(max_tokens_limit=UNDERSTUDY_TOKENS), shutdown=2.0),
            model("stand-in", text_worker("failsoft:tiny-text", threads=1), shutdown=2.0),
            backoff=Backoff(base=0.5, immediate=1),
        ),
    )


def demo_recorder(folder: Path) -> ChildSpec:
    """Describe what records the tree, and writes to ``folder`` when a supervisor escalates."""
    flight = functools.partial(FlightRecorder, folder, FlightRings())
    # More than its backoff allows: whatever ails it, the tree goes on.
    return supervisor("recorder", child("flight", flight), intensity=Intensity(100))
