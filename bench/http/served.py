"""A service to be measured: ``python -m bench.http.served NAME DESCRIPTOR``."""

from __future__ import annotations

import functools
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable

import structlog
import uvicorn

from bench.engines.took import processor_seconds
from bench.http.peers import asking, echo
from failsoft.gpu import WorkerSpec
from failsoft.gpu.process.prctl import tie_to_parent
from failsoft.service.http import failsoft_app, serve
from failsoft.supervisors import ChildSpec, child, model, router, supervisor
from failsoft.telemetry import (
    ErrorLog,
    ErrorsActor,
    Health,
    HealthActor,
    Metrics,
    MetricsActor,
    configure_logging,
)

_WORKER = WorkerSpec(engine="bench.engines.noop_engine:Noop")
_PATIENCE = 60.0

Serve = Callable[[socket.socket], None]


def _serve_peer(app: Callable[[], object], listening: socket.socket) -> None:
    config = uvicorn.Config(app(), log_config=None, access_log=False, server_header=False)  # type: ignore[arg-type]
    uvicorn.Server(config).run([listening])


def _serve_ours(listening: socket.socket, *telemetry: ChildSpec, level: str = "critical") -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if level != "critical":
        configure_logging(sys.stderr, level=level)
    watching = (supervisor("telemetry", *telemetry),) if telemetry else ()
    tree = supervisor("root", *watching, router("text", model("primary", _WORKER)))
    serve(failsoft_app(tree), sockets=[listening])


def _telemetry() -> tuple[ChildSpec, ...]:
    return (
        child("metrics", functools.partial(MetricsActor, Metrics())),
        child("errors", functools.partial(ErrorsActor, ErrorLog())),
        child("health", functools.partial(HealthActor, Health([]))),
    )


ECHO, ASKING, OURS = "Starlette", "Starlette, asking another process", "failsoft"
OBSERVED, LOGGED = "failsoft, with telemetry", "failsoft, with telemetry and a log line each"
SERVED: dict[str, Serve] = {
    ECHO: functools.partial(_serve_peer, echo),
    ASKING: functools.partial(_serve_peer, asking),
    OURS: _serve_ours,
    OBSERVED: lambda listening: _serve_ours(listening, *_telemetry()),
    LOGGED: lambda listening: _serve_ours(listening, *_telemetry(), level="info"),
}


class Served:
    """Run one of ``SERVED`` in a process of its own, until the block is left."""

    def __init__(self, name: str, path: str = "/generate") -> None:
        self.name = name
        self.path = path
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
            self.port: int = listening.getsockname()[1]
            descriptor = listening.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.http.served", name, str(descriptor)],
                pass_fds=[descriptor],
                stderr=subprocess.DEVNULL,
            )

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.terminate()
        self._process.wait(_PATIENCE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def processor(self) -> float:
        """Give the seconds of processor time so far, of the serving process alone."""
        return processor_seconds(self.pid)


def main(name: str, descriptor: int) -> None:
    tie_to_parent(os.getppid())
    SERVED[name](socket.socket(fileno=descriptor))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
