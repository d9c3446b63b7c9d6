"""A Ray cluster of three nodes on this machine, for the demo: a program of its own.

Run as ``python -P -m failsoft.service.demo_cluster``. It prints the cluster's address, and lives
until its input ends. A line ``kill PID`` kills the node whose worker that process is; ``add`` adds
another one.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

import psutil
from ray.cluster_utils import Cluster

from failsoft.gpu.process.prctl import set_name, tie_to_parent

# Each of the two has room for both replicas, so that one is enough once the other is lost.
_CPUS = 2


def main() -> None:
    """Run the cluster until nobody needs it."""
    tie_to_parent(os.getppid())
    set_name("failsoft-nodes")
    # Nobody else needs Ray's page, and nothing is told to anybody.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # A folder of its own, with a short name for its sockets: there stands the address that others
    # on this machine who say ``auto`` would be led to.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        os.environ["RAY_TMPDIR"] = folder
        _run()


def _run() -> None:
    head = {"num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = [cluster.add_node(num_cpus=_CPUS) for _ in range(2)]
        print(cluster.address, flush=True)
        for line in sys.stdin:
            match line.split():
                case ["kill", pid]:
                    _kill_node_of(int(pid), cluster, nodes)
                case ["add"]:
                    nodes.append(cluster.add_node(num_cpus=_CPUS))
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


def _kill_node_of(pid: int, cluster: Any, nodes: list[Any]) -> None:
    """Kill the node whose daemon the process is, or has among its forefathers.

    No-op where the process is gone: so is what it was hit for.
    """
    try:
        forefathers = {pid, *(each.pid for each in psutil.Process(pid).parents())}
    except psutil.NoSuchProcess:
        return
    for node in nodes:
        daemons = {info.process.pid for info in node.all_processes["raylet"]}
        if daemons & forefathers:
            cluster.remove_node(node, allow_graceful=False)
            nodes.remove(node)
            return


if __name__ == "__main__":
    main()
