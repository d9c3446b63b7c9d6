"""A Ray cluster of some nodes on this machine: told by lines of JSON what becomes of them.

Each order on standard input is answered by a line on standard output. It is no child of whoever
starts it, since Ray's processes come and go as they like. Where the input ends, so does every
process below this one, Ray's and whatever Ray has started; the output ends last of all.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from failsoft.gpu.process.prctl import become_subreaper, tie_to_parent
from failsoft.testing.processes import descendants

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # How full this machine is, is nothing that a test may fail for.
    "RAY_memory_monitor_refresh_ms": "0",
    # A node that is killed is found at once, and not after 15 s.
    "RAY_health_check_period_ms": "300",
    # What a head knows outlives it, as it does where one wants it to be started again.
    "RAY_gcs_storage": "rocksdb",
}
# The least that Ray takes.
_OBJECT_STORE_BYTES = 80 * 1024 * 1024


class Nodes:
    """Hold the nodes by name; the first is the head."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster: Any = Cluster(shutdown_at_exit=False)
        self._nodes: dict[str, Any] = {}

    def add(self, name: str, cpus: int, gpus: int, resources: dict[str, float]) -> dict[str, Any]:
        """Add a node; give how the cluster is reached, and the pid of the node's raylet."""
        node = self._nodes[name] = self._cluster.add_node(
            num_cpus=cpus,
            num_gpus=gpus,
            resources=resources,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
        )
        return {
            "address": self._cluster.address,
            "raylet": node.all_processes["raylet"][0].process.pid,
        }

    def lose(self, name: str) -> dict[str, Any]:
        """Kill all of a node that Ray itself has started."""
        self._cluster.remove_node(self._nodes.pop(name), allow_graceful=False)
        return {}

    def lose_head(self) -> dict[str, Any]:
        """Kill the process that knows of all others."""
        self._cluster.head_node.kill_gcs_server()
        return {}

    def mend_head(self) -> dict[str, Any]:
        """Start it again, at the same address."""
        self._cluster.head_node.start_gcs_server()
        return {}


def obey() -> None:
    """Do what the input says, to its end."""
    tie_to_parent(os.getppid())
    answers = os.dup(1)
    os.dup2(2, 1)
    nodes = Nodes()
    for line in sys.stdin:
        order: dict[str, Any] = json.loads(line)
        said = getattr(nodes, order.pop("do"))(**order)
        os.write(answers, json.dumps(said).encode() + b"\n")


def keep() -> None:
    """Run the nodes below this process, which waits for all that nobody else does."""
    become_subreaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print(json.dumps({"pid": os.getpid()}), flush=True)
    # Short, since names of sockets may not be long.
    folder = Path(tempfile.mkdtemp(prefix="ray"))
    env = {"RAY_TMPDIR": str(folder), "RAY_gcs_storage_path": str(folder / "gcs"), **SETTINGS}
    try:
        nodes = subprocess.Popen(
            [sys.executable, "-P", __file__, "nodes"], env={**os.environ, **env}
        )
        while os.wait()[0] != nodes.pid:
            pass
    finally:
        end_descendants()
        shutil.rmtree(folder, ignore_errors=True)


def end_descendants() -> None:
    """Kill all below this process, until none is left."""
    while found := list(descendants()):
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.wait()


def main() -> None:
    if sys.argv[1:] == ["nodes"]:
        obey()
    elif os.fork() == 0:
        os.setsid()
        keep()


if __name__ == "__main__":
    main()
