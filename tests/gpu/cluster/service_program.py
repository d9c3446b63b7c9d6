"""A service to be killed, whose worker is at another place: it says who is there, and waits."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import structlog
from tests.gpu.launched import Launcher, children_of

from failsoft.gpu import WorkerSpec
from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.placement import CommandPlacement
from failsoft.gpu.process.prctl import tie_to_parent


async def serve() -> None:
    launch = Launcher(ClusterHost(), placement=CommandPlacement(python=sys.executable))
    worker = await launch.ready(WorkerSpec(engine="helper_engine:HelperEngine"))
    (keeper,) = children_of(os.getpid())
    print(json.dumps([keeper, worker.pid, *children_of(worker.pid)]), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    tie_to_parent(os.getppid())
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(serve())


if __name__ == "__main__":
    main()
