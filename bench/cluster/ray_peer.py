"""Ray: an actor that does nothing, called by Ray's own way."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from typing import Any

# Before Ray is imported, which reads it: nothing is to be told to anybody.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray

from bench.engines.noop_engine import answer
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
    # Its sockets lie in the folder, and their paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        ray.init(
            num_cpus=1,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
        try:
            # Ray's types know nothing of methods that are called from afar.
            actor: Any = ray.remote(Noop).remote()
            yield actor, ray.get(actor.pid.remote())
        finally:
            ray.shutdown()
