"""The ground of a storm: where the workers are, and what there is to be hit around them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from signal import Signals
from typing import Final

import msgspec

from bench.storm.blows import AROUND_HERE, AROUND_THERE
from bench.storm.tree import WORKER
from bench.storm.victims import by_name
from failsoft.actors import System
from failsoft.gpu import WorkerHost, WorkerSpec
from failsoft.service.demo_nodes import DemoNodes


class Here:
    """Have workers beside the service, below a template and a reaper.

    pause: seconds, on the average, from one kill to the next. around: how often what is to be hit
        that stands around the workers.
    """

    pause = 0.15
    around: Mapping[str, float] = AROUND_HERE
    worker: WorkerSpec = WORKER

    def victims(self, system: System) -> dict[str, list[int]]:
        """Give the pids of what stands around the workers."""
        reaper = system.extension(WorkerHost).statistics().reaper_pid
        if reaper is None:
            return {}
        return {"reaper": [reaper], "template": by_name(reaper).get("failsoft-templ", [])}

    def miscounted(self, system: System, wanted: int) -> str | None:
        """Say what is wrong with the number of workers, which is to be ``wanted``."""
        now = system.extension(WorkerHost).statistics()
        if (now.workers, now.waiting) == (wanted, 0):
            return None
        return f"{now.workers} workers and {now.waiting} to come for {wanted}"

    def is_left(self, process: str) -> bool:
        """Tell whether a process that is still there is left behind."""
        return True

    def hit(self, what: str, pid: int, number: Signals) -> None:
        """Send a process a signal. Raises ProcessLookupError where it is gone."""
        os.kill(pid, number)


HERE: Final = Here()

# What the kernel calls the processes around workers on a cluster, and the workers.
_NAMES: Final = {
    "keeper": "failsoft-keeper",
    "actor": "ray::RayKeeper",
    "placer": "failsoft-placer",
    "node": "raylet",
}
_OURS: Final = ("failsoft", "ray::RayKeeper")


class OnCluster(Here):
    """Have workers on the nodes of a Ray cluster. A node that is killed is followed by another.

    A new worker costs Ray a process to begin with, so that blows come more seldom.
    """

    pause = 2.0
    around: Mapping[str, float] = AROUND_THERE

    def __init__(self, nodes: DemoNodes) -> None:
        self._nodes = nodes
        placement = msgspec.structs.replace(nodes.placement, cpus=0.1, silence_limit=3.0)
        self.worker = msgspec.structs.replace(WORKER, placement=placement, load_hang_limit=10.0)

    def victims(self, system: System) -> dict[str, list[int]]:
        found = by_name()
        # The first is the head's: without it there is no cluster.
        found["raylet"] = sorted(found.get("raylet", []))[1:]
        return {what: found.get(name, []) for what, name in _NAMES.items()}

    def miscounted(self, system: System, wanted: int) -> str | None:
        now = len(by_name().get("failsoft-worker", []))
        return None if now == wanted else f"{now} workers for {wanted}"

    def is_left(self, process: str) -> bool:
        # One that has ended is somebody else's to wait for, once its node is gone.
        return process.startswith(_OURS) and "nobody waited" not in process

    def hit(self, what: str, pid: int, number: Signals) -> None:
        if what == "node":
            # Its parent is to know of it: Ray takes a daemon that nobody waited for to be alive.
            self._nodes.kill_node_of(pid)
            self._nodes.add_node()
        else:
            super().hit(what, pid, number)
