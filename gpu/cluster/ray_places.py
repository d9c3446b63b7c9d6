"""Places on a Ray cluster, by way of the placer, which speaks to Ray."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import itertools
import os
import socket
from collections.abc import Callable

import msgspec
import structlog

from failsoft.gpu.cluster.keeper_address import KeeperAddress, KeeperOrder
from failsoft.gpu.cluster.places import PlaceError
from failsoft.gpu.placement import Placement, RayPlacement
from failsoft.gpu.process.control import receive_message, send_message
from failsoft.gpu.process.side_process import controlled
from failsoft.gpu.process.worker_log import WorkerLine

_log = structlog.get_logger("failsoft.cluster")

# A placer that can't reach the cluster says so within 30 s.
_HEARD_LIMIT = 45.0
# It knows itself when to give up; what is over that, it doesn't answer.
_ANSWER_GRACE = 15.0
# One that is killed takes its workers along, too.
_END_LIMIT = 3.0
_CLOSING = "the service is closing"


class RayPlaces:
    """Place workers on one Ray cluster, through a placer that is started when it is first needed.

    One that ends takes its workers with it, and is replaced when the next one is asked for. One
    that doesn't answer is left alone with the workers it has, until the last is released.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._placers: list[_Placer] = []
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<RayPlaces {self._address}, {self._placers}>"

    async def place(self, placement: Placement, order: KeeperOrder) -> RayPlace:
        """Give a place, with a keeper. Raises PlaceError where there is none."""
        assert isinstance(placement, RayPlacement)
        if self._is_closed:
            raise PlaceError(_CLOSING)
        if importlib.util.find_spec("ray") is None:
            said = "Ray isn't installed beside this service: pip install 'failsoft[ray]'"
            raise PlaceError(said, is_final=True)
        placer = self._usable_placer()
        place = placer.ask(placement, order)
        try:
            async with asyncio.timeout(_HEARD_LIMIT) as place.limit:
                place.address = await place.answer
        except TimeoutError as error:
            placer.is_usable = False
            place.release()
            raise PlaceError("the Ray cluster's driver does not answer") from error
        except BaseException:
            place.release()
            raise
        return place

    async def aclose(self) -> None:
        """End every placer, and so all that it placed; return when they are gone."""
        self._is_closed = True
        await asyncio.gather(*(placer.aclose() for placer in self._placers))

    def _usable_placer(self) -> _Placer:
        for placer in self._placers:
            if placer.is_usable:
                return placer
        placer = _Placer(self._address, self._placers.remove)
        self._placers.append(placer)
        return placer


class RayPlace:
    """Hold an actor of Ray, and the keeper that it started."""

    address: KeeperAddress
    limit: asyncio.Timeout

    def __init__(self, placer: _Placer, id: int, place_limit: float) -> None:
        self._placer = placer
        self.id = id
        self._place_limit = place_limit
        self.answer: asyncio.Future[KeeperAddress] = asyncio.get_running_loop().create_future()

    def heard(self) -> None:
        """Note that the placer is at it: from now on it is the cluster that takes its time."""
        if not self.limit.expired():
            within = self._place_limit + _ANSWER_GRACE
            self.limit.reschedule(asyncio.get_running_loop().time() + within)

    def release(self) -> None:
        """Have Ray end the actor, wherever it is in its life. Idempotent."""
        self._placer.release(self)


class _Placer:
    """Run a placer process, and keep account of what was asked of it.

    on_gone: called, with this, when it has ended.
    """

    def __init__(self, address: str, on_gone: Callable[[_Placer], object]) -> None:
        self.is_usable = True
        self._is_closing = False
        self._on_gone = on_gone
        self._ids = itertools.count(1)
        self._places: dict[int, RayPlace] = {}
        self._reason = "the Ray cluster's driver ended"
        self._loop = asyncio.get_running_loop()
        self._process, self._control = controlled(
            "failsoft.gpu.cluster.ray_driver",
            *(str(os.getpid()), address),
            on_line=_log_line,
            on_exit=self._exited,
        )
        self._loop.add_reader(self._control, self._receive)

    def __repr__(self) -> str:
        return f"<placer {self._process.pid}, {len(self._places)} places>"

    def ask(self, placement: RayPlacement, order: KeeperOrder) -> RayPlace:
        """Ask for a place. Raises PlaceError where the placer takes no more requests."""
        place = RayPlace(self, next(self._ids), placement.place_limit)
        message = {
            "op": "place",
            "id": place.id,
            "placement": msgspec.to_builtins(placement),
            "key": base64.b64encode(order.key).decode(),
        }
        try:
            send_message(self._control, message)
        except BlockingIOError:
            self.is_usable = False
            raise PlaceError("the Ray cluster's driver takes no more requests") from None
        except ValueError as error:
            said = f"its placement is too large: {error}; have runtime_env name a file"
            raise PlaceError(said, is_final=True) from error
        except OSError as error:
            raise PlaceError(self._reason) from error
        self._places[place.id] = place
        return place

    def release(self, place: RayPlace) -> None:
        """Hand a place back."""
        if self._places.pop(place.id, None) is None:
            return
        place.answer.cancel()
        # Where it is full or gone, its end is the end of the place, and the keeper has its own.
        with contextlib.suppress(OSError):
            send_message(self._control, {"op": "release", "id": place.id})
        if not self.is_usable and not self._places:
            self._process.kill()

    async def aclose(self) -> None:
        """End the placer; return when it is gone."""
        self.is_usable, self._is_closing = False, True
        for id in list(self._places):
            self._answer(id, PlaceError(_CLOSING))
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        await self._process.ended(_END_LIMIT)

    def _receive(self) -> bool:
        """Take in a message; tell whether there was one."""
        try:
            message, _ = receive_message(self._control)
        except BlockingIOError:
            return False
        match message:
            case {"op": "heard", "id": int(id)}:
                if id in self._places:
                    self._places[id].heard()
            case {"op": "placed", "id": int(id), "address": address}:
                self._answer(id, msgspec.convert(address, KeeperAddress))
            case {"op": "failed", "id": int(id), "reason": str(reason), "is_final": bool(final)}:
                self._answer(id, PlaceError(reason, is_final=final))
            case {"op": "unusable", "reason": str(reason)}:
                self.is_usable = False
                self._reason = reason
            case None:
                self.is_usable = False
                self._loop.remove_reader(self._control)
            case _:
                raise ValueError(f"no such message: {message}")
        return message is not None

    def _answer(self, id: int, answer: KeeperAddress | PlaceError) -> None:
        place = self._places.get(id)
        if place is None or place.answer.done():
            return
        if isinstance(answer, PlaceError):
            place.answer.set_exception(answer)
        else:
            place.answer.set_result(answer)

    def _exited(self, status: int) -> None:
        self.is_usable = False
        while self._receive():
            pass
        self._loop.remove_reader(self._control)
        self._control.close()
        if status != 0 and self._places and not self._is_closing:
            _log.error("the Ray cluster's driver ended; its workers end with it", status=status)
        for id in list(self._places):
            self._answer(id, PlaceError(self._reason))
        self._on_gone(self)


def _log_line(line: WorkerLine) -> None:
    line.log_to(_log)
