"""The driver of a Ray cluster, in a process of its own, which serves as the service's placer.

Run as ``python -P -m failsoft.gpu.cluster.ray_driver FD PARENT ADDRESS``. Ray ends a driver that
has lost its cluster's head for a minute, and what a driver has started ends with it. So the service
isn't the driver, and the driver's end is no more than the loss of the workers that it placed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import threading

from failsoft.gpu.process.control import send_message
from failsoft.gpu.process.prctl import set_name, tie_to_parent

_NAMESPACE = "failsoft"
# Ray itself would try for many minutes.
_CONNECT_LIMIT = 30.0


def main() -> None:
    """Be the driver of the cluster at ADDRESS, for the service at the other end of FD."""
    descriptor, parent, address = sys.argv[1:]
    tie_to_parent(int(parent))
    set_name("failsoft-placer")
    # Only now, since it takes a second, and nothing may outlive the service for long.
    import ray

    from failsoft.gpu.cluster.ray_placer import RayPlacer, told_by

    control = socket.socket(fileno=int(descriptor))

    def give_up(said: str) -> None:
        reason = f"no Ray cluster answers at '{address}': {said}"
        send_message(control, {"op": "unusable", "reason": reason})
        os._exit(0)

    late = threading.Timer(_CONNECT_LIMIT, give_up, [f"it took over {_CONNECT_LIMIT:g} s"])
    late.daemon = True
    late.start()
    try:
        ray.init(address, namespace=_NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # whatever Ray and its libraries raise
        give_up(told_by(error))
    late.cancel()

    async def serve() -> None:
        await RayPlacer(control).run()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
