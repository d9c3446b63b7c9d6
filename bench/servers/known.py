"""Which servers there are, and how each is set up."""

from __future__ import annotations

import msgspec

from bench import peers

_UVICORN = "uvicorn with uvloop and httptools, no access log"


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Tell of a server.

    package: what it is made of; where that isn't installed, the server can't run. settings: how it
    is set up, in words. environment: variables that its own docs have one set.
    """

    title: str
    package: str
    settings: str
    environment: dict[str, str] = {}

    def is_there(self) -> bool:
        """Tell whether it can run here; where it can't, say so."""
        return peers.is_there(self.package)


# By the name of its module in this package.
SERVERS = {
    "failsoft": Server(
        title="failsoft",
        package="failsoft",
        settings=f"{_UVICORN}; a router, and a model with a process of its own for each worker; "
        "all policies at their defaults; where the model gains by it, batches within 10 ms; "
        "telemetry as `failsoft serve` has it, logging warnings",
    ),
    "litserve": Server(
        title="LitServe",
        package="litserve",
        settings=f"{_UVICORN}; an HTTP process for each worker, fast_queue (which 0.2.19 takes and "
        "ignores), restart_workers, timeout=30 s, or 9 s in chaos; where the model "
        "gains by it, batches within 10 ms",
    ),
    "mosec": Server(
        title="mosec",
        package="mosec",
        settings="its own HTTP server in Rust; logs warnings; timeout=30 s, or 9 s in "
        "chaos; batches within 10 ms where the model gains by it; its metrics are always on",
    ),
    "ray_serve": Server(
        title="Ray Serve",
        package="ray",
        settings="a cluster of its own with 2 CPUs, no dashboard; RAY_SERVE_THROUGHPUT_OPTIMIZED, "
        "and HAProxy as its proxy; logs warnings; an asynchronous deployment with a replica for "
        "each worker, max_ongoing_requests=100; @serve.batch within 10 ms where the model gains by "
        "it; health checks each second",
        environment={
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_SERVE_ENABLE_HA_PROXY": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            # With it, a token is written to the home of whoever runs this.
            "RAY_AUTH_MODE": "disabled",
            # Of the start alone, which on a busy machine takes longer than by their defaults.
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
            "RAY_raylet_start_wait_time_s": "120",
        },
    ),
    "fastapi": Server(
        title="FastAPI",
        package="fastapi",
        settings=f"{_UVICORN}; the model in the same process, in a thread, one request at a time",
    ),
    "starlette": Server(
        title="Starlette",
        package="starlette",
        settings=f"{_UVICORN}; no model: it decodes a body and sends the prompt back",
    ),
    "starlette_asking": Server(
        title="Starlette, asking another process",
        package="starlette",
        settings=f"{_UVICORN}; another process sends the prompt back, over a pair of sockets",
    ),
}
