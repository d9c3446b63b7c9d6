"""Ray: an actor that does nothing, called by Ray's own way."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import ray

from bench.engines.noop_engine import answer
from bench.runtime.ray_peer import cluster
from failsoft.messages import GenerateText, TextReply

SETTINGS = (
    "ray.init(num_cpus=1) without the dashboard; await actor.answer.remote(request), with the same"
    " request and the same reply"
)


class Noop:
    def answer(self, request: GenerateText) -> TextReply:
        return answer(request)

    def pid(self) -> int:
        return os.getpid()


@contextlib.contextmanager
def ray_actor() -> Iterator[tuple[Any, int]]:
    """Run an actor on a cluster of one until the block is left; give it, and its process id."""
    with cluster():
        # Ray's types know nothing of methods that are called from afar.
        actor: Any = ray.remote(Noop).remote()
        yield actor, ray.get(actor.pid.remote())
