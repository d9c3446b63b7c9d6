"""What a Ray cluster runs for a worker: an actor that holds the place, and a keeper beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import msgspec

from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.process.session import end_session


class RayKeeper:
    """Be the actor of Ray that stands for one worker: its life is the worker's place.

    The keeper is a process of its own: small, with one thread, and nothing of Ray in it.
    """

    def open(self, key: bytes, silence_limit: float) -> KeeperAddress:
        """Start the keeper; give where it listens. Raises OSError where it can't be started."""
        import ray

        order = KeeperOrder(key, silence_limit, ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "failsoft.gpu.cluster.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        keeper.stdin.write(msgspec.json.encode(order) + b"\n")
        keeper.stdin.flush()
        said = keeper.stdout.readline()
        if not said:
            raise OSError("its keeper ended before it listened; see the log of the Ray worker")
        threading.Thread(target=_end_with, args=(keeper,), daemon=True).start()
        return msgspec.json.decode(said, type=KeeperAddress)


def _end_with(keeper: subprocess.Popen[bytes]) -> None:
    """End this actor once the keeper has ended, so that its place is free again."""
    os.waitid(os.P_PID, keeper.pid, os.WEXITED | os.WNOWAIT)
    end_session(keeper.pid)
    keeper.wait()
    os._exit(0)
