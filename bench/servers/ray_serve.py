"""Ray Serve, in a Ray cluster of its own on this machine.

As its docs advise for throughput: ``RAY_SERVE_THROUGHPUT_OPTIMIZED`` and
``RAY_SERVE_ENABLE_HA_PROXY`` (see ``known``), asynchronous methods, ``max_ongoing_requests`` raised
from its default of 5, ``@serve.batch`` where the model gains by it. Health is checked each second,
in place of ten.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile

from bench.servers.asked import Asked, asked

# Which are the same for all on a machine, where nothing is said.
_PORTS = ("RAY_SERVE_HAPROXY_METRICS_PORT", "RAY_SERVE_HAPROXY_STATS_PORT")


def main(options: Asked) -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    os.environ.update((name, str(_free_port())) for name in _PORTS)
    # Ray reads the environment when it is imported.
    import ray  # type: ignore[import-not-found]  # only the peers have it

    from bench.servers.ray_deployment import deploy

    # Sockets are in there, whose paths have 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        try:
            deploy(options, folder)
            signal.pause()
        finally:
            ray.shutdown()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


if __name__ == "__main__":
    main(asked())
