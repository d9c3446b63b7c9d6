"""A Ray cluster for tests, in processes of its own, and what runs on it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from tests.gpu.launched import Launcher, still_alive_after, watch

from failsoft.testing.processes import descendants, left_after

_PROGRAM = Path(__file__).with_name("cluster_program.py")
# The law: within 2 s.
LIMIT = 2.0


class RayCluster:
    """Have a cluster, whose nodes come and go as a test wants; all of it ends with the block.

    nodes: by name, how many processors each has; a resource of each name is there 10 times. The
        first is the head. settings: Ray's own, as environment.
    """

    address: str

    def __init__(self, nodes: dict[str, int], **settings: str) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **settings},
        )
        self._program.wait()
        self._pid: int = self._answer()["pid"]
        self._raylets: dict[str, int] = {}
        try:
            for name, cpus in nodes.items():
                self.add(name, cpus)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all of it."""
        left = list(descendants(self._pid))
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        said = self._program.stdout.read()
        self._program.stdout.close()
        assert (said, left_after(left, LIMIT)) == (b"", [])

    def add(self, name: str, cpus: int, gpus: int = 0, **resources: float) -> None:
        """Add a node, which is there when this returns."""
        named = {name: 10, **resources}
        said = self._do("add", name=name, cpus=cpus, gpus=gpus, resources=named)
        self.address, self._raylets[name] = said["address"], said["raylet"]

    def lose(self, name: str) -> None:
        """Kill all of a node that Ray itself has started."""
        self._do("lose", name=name)

    def lose_head(self) -> None:
        """Kill the process that knows of all others."""
        self._do("lose_head")

    def mend_head(self) -> None:
        """Start it again."""
        self._do("mend_head")

    def node_of(self, pid: int) -> str:
        """Give the name of the node that a process is of."""
        above = set(_line_of(pid))
        return next(name for name, raylet in self._raylets.items() if raylet in above)

    def kept(self) -> set[int]:
        """Give the pids of ours, keepers and workers, that don't end within 2 s."""
        ours: dict[int, int] = {}
        for process in descendants(self._pid):
            if "failsoft" in str(process):
                with contextlib.suppress(ProcessLookupError):
                    ours |= watch([process.pid])
        return still_alive_after(ours, LIMIT)

    def _do(self, order: str, **fields: Any) -> dict[str, Any]:
        assert self._program.stdin is not None
        self._program.stdin.write(json.dumps({"do": order, **fields}).encode() + b"\n")
        self._program.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._program.stdout is not None
        said: dict[str, Any] = json.loads(self._program.stdout.readline())
        return said


def placed(launch: Launcher, **fields: object) -> Launcher:
    """Have ``launch`` ask for something else from now on."""
    assert launch.placement is not None
    launch.placement = msgspec.structs.replace(launch.placement, **fields)
    return launch


def keeper_of(worker: int) -> int:
    """Give the pid of a worker's keeper."""
    return _line_of(worker)[0]


def actor_of(worker: int) -> int:
    """Give the pid of the actor of Ray that holds a worker's place."""
    return _line_of(worker)[1]


def placer() -> int:
    """Give the pid of the one placer that this process has."""
    (found,) = (process.pid for process in descendants() if "failsoft-placer" in str(process))
    return found


def _line_of(pid: int) -> list[int]:
    """Give the pids of a process's parent, of its parent, and so on."""
    line = []
    while pid > 1:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        pid = int(stat.rpartition(")")[2].split()[1])
        line.append(pid)
    return line
