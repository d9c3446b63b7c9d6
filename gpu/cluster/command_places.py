"""Places that a command gives: ``ssh``, ``srun``, or none, for this machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
import structlog

from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.cluster.places import PlaceError
from failsoft.gpu.placement import CommandPlacement, Placement
from failsoft.gpu.process.side_process import SideProcess
from failsoft.gpu.process.worker_log import WorkerLine

_log = structlog.get_logger("failsoft.cluster")

# A keeper whose input has ended ends at once, and the command soon after.
_END_LIMIT = 10.0


class CommandPlaces:
    """Start a keeper for each worker, by the command of its placement."""

    def __init__(self) -> None:
        self._places: set[CommandPlace] = set()

    def __repr__(self) -> str:
        return f"<CommandPlaces {len(self._places)} places>"

    async def place(self, placement: Placement, order: KeeperOrder) -> CommandPlace:
        """Give a place, with a keeper. Raises PlaceError where the command gives none in time."""
        assert isinstance(placement, CommandPlacement)
        try:
            place = CommandPlace(placement, order, self._places.discard)
        except OSError as error:
            raise PlaceError(f"its command can't be run: {error}") from error
        self._places.add(place)
        try:
            async with asyncio.timeout(placement.place_limit):
                await place.is_there
        except TimeoutError as error:
            place.release()
            said = f"no keeper was started within {placement.place_limit:g} s"
            raise PlaceError(said) from error
        except BaseException:
            place.release()
            raise
        return place

    async def aclose(self) -> None:
        """End every keeper; return when all are gone."""
        for place in list(self._places):
            place.release()
        for place in list(self._places):
            await place.process.ended(_END_LIMIT)


class CommandPlace:
    """Hold a keeper that a command has started.

    on_gone: called, with this, when its process has ended.
    """

    address: KeeperAddress

    def __init__(
        self,
        placement: CommandPlacement,
        order: KeeperOrder,
        on_gone: Callable[[CommandPlace], object],
    ) -> None:
        self._on_gone = on_gone
        self._last = ""
        self._killing: asyncio.TimerHandle | None = None
        self.is_there: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.process = SideProcess(
            (*placement.command, placement.python, "-P", "-m", "failsoft.gpu.cluster.keeper"),
            on_line=self._log,
            on_output_line=self._heed,
            on_exit=self._exited,
            has_input=True,
        )
        here = msgspec.structs.replace(order, host=placement.host)
        # Where it has ended by now, its status says more.
        with contextlib.suppress(BrokenPipeError):
            self.process.write(msgspec.json.encode(here) + b"\n")

    def release(self) -> None:
        """Have the keeper end, and its worker with it. Idempotent."""
        if self._killing is None and not self.process.gone.is_set():
            self.process.end_input()
            loop = asyncio.get_running_loop()
            self._killing = loop.call_later(_END_LIMIT, self.process.kill)

    def _heed(self, line: WorkerLine) -> None:
        """Take the first line for the keeper's address."""
        if self.is_there.done():
            self._log(line)
            return
        try:
            self.address = msgspec.json.decode(line.event, type=KeeperAddress)
        except msgspec.DecodeError:
            self._log(line)
        else:
            self.is_there.set_result(None)

    def _log(self, line: WorkerLine) -> None:
        self._last = line.event
        line.log_to(_log)

    def _exited(self, status: int) -> None:
        if self._killing is not None:
            self._killing.cancel()
        if not self.is_there.done():
            said = f"its command ended with status {status}: {self._last or 'it said nothing'}"
            self.is_there.set_exception(PlaceError(said))
        self._on_gone(self)
