"""The tree: routers, each in front of a pool, and telemetry beside them, as a service has it."""

from __future__ import annotations

import functools
from typing import Final, Literal

from failsoft.actors import Actor, handles
from failsoft.gpu.script import Script
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText, TextReply, Usage
from failsoft.supervisors import ChildSpec, candidate, child, pool, router, supervisor
from failsoft.supervisors.pool.pool import Pool
from failsoft.supervisors.pool.replicated import Recipe
from failsoft.supervisors.routing.candidate import Candidate
from failsoft.telemetry import ErrorsActor, HealthActor, MetricsActor

Kind = Literal["thread", "process", "plain"]

FLEET: Final = "fleet"
# The replicas of one pool, at most.
POOL: Final = 100
# On a busy machine the beats of a thousand threads in one process may be late.
PATIENCE: Final = 60.0
_GIB: Final = 1 << 30
_REPLY: Final = TextReply("hello", "stop", Usage(1, 1))


class Plain(Actor):
    """Stand in for a model: it says that it is ready, and has no worker."""

    @handles(GenerateText)
    def generate(self, _request: GenerateText) -> TextReply:
        """Answer at once."""
        return _REPLY


def telemetry() -> ChildSpec:
    """Describe what listens, as far as it costs something where nothing happens."""
    return supervisor(
        "telemetry",
        child("metrics", MetricsActor),
        child("errors", ErrorsActor),
        child("health", HealthActor),
    )


def replicated(kind: Kind, replicas: int) -> Candidate:
    """Describe one pool. plain: without workers."""
    if kind == "plain":
        return candidate("model", functools.partial(Pool, Recipe(Plain, replicas)))
    # With a device, as on a GPU: its memory is told with each beat, and is an event.
    script = Script(device_memory=(_GIB, 2 * _GIB, 80 * _GIB))
    worker = scripted(script, run_in=kind, heartbeat_limit=PATIENCE)
    return pool("model", worker, replicas=replicas)


def names_of(count: int) -> list[str]:
    """Give the names of the routers in front of so many models."""
    return [f"text-{number}" for number in range(1, -(-count // POOL) + 1)]


def fleet(kind: Kind, count: int) -> ChildSpec:
    """Describe ``count`` models, in pools of a hundred at most, a router in front of each."""
    names = names_of(count)
    sizes = [min(POOL, count - POOL * number) for number in range(len(names))]
    sized = zip(names, sizes, strict=True)
    return supervisor(FLEET, *(router(name, replicated(kind, size)) for name, size in sized))
