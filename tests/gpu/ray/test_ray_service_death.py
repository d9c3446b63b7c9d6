"""Nothing on a Ray cluster outlives the service that it works for, however that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.gpu.launched import still_alive_after, watch
from tests.gpu.ray.ray_cluster import LIMIT, RayCluster, actor_of, keeper_of

from failsoft.testing.processes import descendants

PROGRAM = Path(__file__).with_name("service_program.py")


@pytest.mark.parametrize("signals", [(signal.SIGKILL,), (signal.SIGSTOP, signal.SIGKILL)])
def test_nothing_outlives_the_service(cluster: RayCluster, signals: list[int]) -> None:
    """WK-04 Within 2 s: no worker, no keeper, no actor of Ray that held a place, and no placer."""
    command = [sys.executable, "-P", str(PROGRAM), cluster.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        worker: int = json.loads(service.stdout.readline())["worker"]
        placers = [process.pid for process in descendants(service.pid)]
        pidfds = watch([*placers, worker, keeper_of(worker), actor_of(worker)])
        for number in signals:
            os.kill(service.pid, number)
    assert len(placers) == 1
    assert still_alive_after(pidfds, LIMIT) == set()
    assert cluster.kept() == set()
