"""The placer: the driver of a Ray cluster, in a process of its own.

Run as ``python -P -m failsoft.gpu.cluster.ray_placer FD ADDRESS``. Ray ends a driver that has lost
its cluster's head for a minute, and what a driver has started ends with it. So the service isn't
the driver, and the driver's end is no more than the loss of the workers that it placed.

Messages, one packet each: ``place`` and ``release`` come; ``placed``, ``failed``, ``unusable`` go.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import socket
import sys
from typing import Any

import msgspec
import ray
from ray import exceptions

from failsoft.gpu.cluster.keeper_address import KeeperAddress
from failsoft.gpu.cluster.ray_keeper import RayKeeper
from failsoft.gpu.placement import RayPlacement
from failsoft.gpu.process.control import Message, receive_message, send_message
from failsoft.gpu.process.prctl import set_name, tie_to_parent

_STRATEGIES = {"pack": "DEFAULT", "spread": "SPREAD"}
_NAMESPACE = "failsoft"


class RayPlacer:
    """Hold an actor of the cluster for each worker that is placed."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._actors: dict[int, Any] = {}
        self._placing: dict[int, asyncio.Task[None]] = {}
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        """Serve until the service is gone."""
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._receive)
        await self._is_over.wait()

    def _receive(self) -> None:
        try:
            message, _ = receive_message(self._control)
        except BlockingIOError:
            return
        match message:
            case {"op": "place", "id": int(id), "placement": asked, "key": str(key)}:
                placement = msgspec.convert(asked, RayPlacement)
                placing = self._place(id, placement, base64.b64decode(key))
                self._placing[id] = self._loop.create_task(placing)
            case {"op": "release", "id": int(id)}:
                self._release(id)
            case None:
                self._is_over.set()
            case _:
                raise ValueError(f"no such message: {message}")

    def _tell(self, message: Message) -> None:
        try:
            send_message(self._control, message)
        except OSError:
            self._is_over.set()

    async def _place(self, id: int, placement: RayPlacement, key: bytes) -> None:
        try:
            actor = self._actors[id] = _actor(placement)
            async with asyncio.timeout(placement.place_limit):
                address = await actor.open.remote(key, placement.silence_limit)
        except TimeoutError:
            self._release(id)
            self._tell(
                {"op": "failed", "id": id, "is_final": True, "reason": await _no_room(placement)}
            )
        except (exceptions.RayError, ValueError, TypeError) as error:
            self._release(id)
            reason = f"Ray could not place it: {_first_line(error)}"
            self._tell({"op": "failed", "id": id, "is_final": False, "reason": reason})
        else:
            self._tell({"op": "placed", "id": id, "address": _plain(address)})
        finally:
            self._placing.pop(id, None)

    def _release(self, id: int) -> None:
        placing, actor = self._placing.get(id), self._actors.pop(id, None)
        if placing is not None and placing is not asyncio.current_task():
            placing.cancel()
        if actor is not None:
            ray.kill(actor)


def _actor(placement: RayPlacement) -> Any:
    """Ask Ray for the actor of a place; it comes to be once there is room."""
    return (
        ray.remote(RayKeeper)
        .options(
            num_gpus=placement.gpus,
            num_cpus=placement.cpus,
            memory=placement.memory or None,
            resources=placement.resources or None,
            scheduling_strategy=_STRATEGIES[placement.strategy],
            runtime_env=placement.runtime_env or None,
            max_restarts=0,
        )
        .remote()
    )


async def _no_room(placement: RayPlacement) -> str:
    free = await asyncio.to_thread(ray.available_resources)
    named = {"GPU", "CPU", "memory", *placement.resources}
    shown = ", ".join(
        f"{amount:g} {name}" for name, amount in sorted(free.items()) if name in named
    )
    return (
        f"no node of the Ray cluster had room for {placement.wants()} within "
        f"{placement.place_limit:g} s; free in all: {shown or 'nothing'}"
    )


def _plain(address: KeeperAddress) -> Message:
    plain: Message = msgspec.to_builtins(address)
    return plain


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def main() -> None:
    """Be the driver of the cluster at ADDRESS, for the service at the other end of FD."""
    tie_to_parent(os.getppid())
    set_name("failsoft-placer")
    control, address = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    try:
        ray.init(address, namespace=_NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = f"no Ray cluster answers at '{address}': {_first_line(error)}"
        send_message(control, {"op": "unusable", "reason": said})
        return
    asyncio.run(_serve(control))


async def _serve(control: socket.socket) -> None:
    await RayPlacer(control).run()


if __name__ == "__main__":
    main()
