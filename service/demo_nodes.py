"""The demo's hold of its cluster, which runs in a process of its own."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from types import TracebackType
from typing import Self

import structlog

from failsoft.gpu import RayPlacement, WorkerLine
from failsoft.gpu.process.side_process import SideProcess

_log = structlog.get_logger("failsoft.demo")

_START_LIMIT = 120.0
_END_LIMIT = 30.0


class NodesUnavailable(Exception):
    """Tell in one line why there is no cluster for the demo, and where to look."""


class DemoNodes:
    """Have a Ray cluster of three nodes for the length of a block, and kill one of them.

    Raises NodesUnavailable where it doesn't start within 120 s.
    """

    def __init__(self) -> None:
        self._address = ""

    @property
    def are_possible(self) -> bool:
        """Tell whether Ray is installed."""
        return importlib.util.find_spec("ray") is not None

    @property
    def placement(self) -> RayPlacement:
        """Give the placement of one replica: each on a node of its own, while there are two."""
        return RayPlacement(address=self._address, strategy="spread")

    def kill_node_of(self, pid: int) -> None:
        """Kill the node that the process is on, and all that runs there."""
        self._process.write(f"kill {pid}\n".encode())

    def add_node(self) -> None:
        """Have one node more, in a while."""
        self._process.write(b"add\n")

    async def __aenter__(self) -> Self:
        self._is_there = asyncio.get_running_loop().create_future()
        self._process = SideProcess(
            (sys.executable, "-P", "-m", "failsoft.service.demo_cluster"),
            on_line=_log_line,
            on_output_line=self._heed,
            on_exit=self._exited,
            has_input=True,
        )
        try:
            async with asyncio.timeout(_START_LIMIT):
                self._address = await self._is_there
        except TimeoutError as error:
            await self._end()
            said = f"the demo's cluster did not start within {_START_LIMIT:g} s; see demo.log"
            raise NodesUnavailable(said) from error
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        self._process.end_input()
        await self._process.ended(_END_LIMIT)

    def _heed(self, line: WorkerLine) -> None:
        if self._is_there.done():
            _log_line(line)
        else:
            self._is_there.set_result(line.event)

    def _exited(self, status: int) -> None:
        if not self._is_there.done():
            said = f"the demo's cluster could not start (status {status}); see demo.log"
            self._is_there.set_exception(NodesUnavailable(said))


def _log_line(line: WorkerLine) -> None:
    line.log_to(_log)
