"""What Ray Serve deploys, and how."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import ray  # type: ignore[import-not-found]  # only the peers have it
from ray import serve
from ray.serve.schema import LoggingConfig  # type: ignore[import-not-found]  # only the peers have it
from starlette.requests import Request

from bench.servers.asked import Asked
from bench.servers.model import load

_CPUS = 2
_AT_ONCE = 100
_HEALTH_SECONDS = 1.0
_STORE_BYTES = 100 * 1024 * 1024


class One:
    """Answer one prompt at a time."""

    def __init__(self, model: str) -> None:
        self._model = load(model)

    async def __call__(self, request: Request) -> dict[str, str]:
        body = await request.json()
        return {"text": self._model.answer([body["prompt"]], body["max_tokens"])[0]}


class Several:
    """Answer several at once, in a thread: so the replica can tell meanwhile that it is well."""

    def __init__(self, model: str, batch: int, wait_ms: int) -> None:
        self._model = load(model)
        self._batched.set_max_batch_size(batch)
        self._batched.set_batch_wait_timeout_s(wait_ms / 1e3)

    async def __call__(self, request: Request) -> dict[str, str]:
        return {"text": await self._batched(await request.json())}

    @serve.batch  # type: ignore[untyped-decorator]
    async def _batched(self, bodies: list[dict[str, Any]]) -> list[str]:
        prompts = [body["prompt"] for body in bodies]
        longest = max(body["max_tokens"] for body in bodies)
        return await asyncio.to_thread(self._model.answer, prompts, longest)


def deploy(options: Asked, folder: str) -> None:
    """Start Ray, with its files in ``folder``, and Serve in it; return when it answers."""
    ray.init(
        num_cpus=_CPUS,
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        log_to_driver=False,
        _temp_dir=folder,
        _node_ip_address="127.0.0.1",
    )
    quiet = LoggingConfig(log_level=logging.WARNING, enable_access_log=False)
    http = {
        "host": "127.0.0.1",
        "port": options.port,
        "request_timeout_s": options.timeout,
    }
    serve.start(http_options=http, logging_config=quiet)
    several = options.batch > 1
    deployment = serve.deployment(
        num_replicas=options.workers,
        max_ongoing_requests=_AT_ONCE,
        # More than the CPUs in all would be waited for until the end.
        ray_actor_options={"num_cpus": 1 / options.workers},
        health_check_period_s=_HEALTH_SECONDS,
        logging_config=quiet,
    )(Several if several else One)
    arguments = (options.model, options.batch, options.wait_ms) if several else (options.model,)
    serve.run(deployment.bind(*arguments), route_prefix="/generate")
