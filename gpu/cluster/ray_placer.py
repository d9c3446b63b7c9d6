"""The placer: what a service has Ray do for its workers; the driver of a cluster runs it.

Messages, one packet each: ``place`` and ``release`` come; ``heard``, as soon as a place is asked
for, ``placed``, ``failed`` and ``unusable`` go.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from typing import Any

import msgspec
import ray
from ray import exceptions

from failsoft.gpu.cluster.keeper_address import KeeperAddress
from failsoft.gpu.cluster.ray_keeper import RayKeeper
from failsoft.gpu.placement import RayPlacement
from failsoft.gpu.process.control import Message, receive_message, send_message

_STRATEGIES = {"pack": "DEFAULT", "spread": "SPREAD"}
# A head that is gone is waited for in the calls that ask it.
_LOOK_LIMIT = 5.0
# One for all places, since the cluster's head keeps each that it is sent.
_KEEPER = ray.remote(RayKeeper)


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
                self._tell({"op": "heard", "id": id})
                placement = msgspec.convert(asked, RayPlacement)
                placing = self._loop.create_task(self._place(id, placement, base64.b64decode(key)))
                placing.add_done_callback(lambda _: self._placing.pop(id))
                self._placing[id] = placing
            case {"op": "release", "id": int(id)}:
                if id in self._placing:
                    self._placing[id].cancel()
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
            self._fail(id, await _no_place(placement), is_final=True)
        except Exception as error:  # whatever Ray and its libraries raise
            self._fail(id, f"Ray could not place it: {told_by(error)}", is_final=_is_final(error))
        else:
            self._tell({"op": "placed", "id": id, "address": _plain(address)})

    def _fail(self, id: int, reason: str, *, is_final: bool) -> None:
        self._release(id)
        self._tell({"op": "failed", "id": id, "is_final": is_final, "reason": reason})

    def _release(self, id: int) -> None:
        actor = self._actors.pop(id, None)
        if actor is not None:
            # In a thread: for one that has no room yet, it waits for the head.
            self._loop.run_in_executor(None, ray.kill, actor)


def _actor(placement: RayPlacement) -> Any:
    """Ask Ray for the actor of a place; it comes to be once there is room."""
    return _KEEPER.options(
        num_gpus=placement.gpus,
        num_cpus=placement.cpus,
        memory=placement.memory or None,
        resources=placement.resources or None,
        scheduling_strategy=_STRATEGIES[placement.strategy],
        runtime_env=placement.runtime_env or None,
        max_restarts=0,
    ).remote()


async def _no_place(placement: RayPlacement) -> str:
    said = (
        f"the Ray cluster had no place for {placement.wants()} within {placement.place_limit:g} s"
    )
    try:
        async with asyncio.timeout(_LOOK_LIMIT):
            free = await asyncio.to_thread(ray.available_resources)
    except Exception:  # whatever Ray and its libraries raise
        return f"{said}; its head does not answer"
    named = {"GPU", "CPU", "memory", *placement.resources}
    shown = (f"{amount:.12g} {name}" for name, amount in sorted(free.items()) if name in named)
    return f"{said}; free in all: {', '.join(shown) or 'nothing'}"


def _is_final(error: Exception) -> bool:
    """Tell whether it stays so until somebody changes the placement or the nodes."""
    if isinstance(error, exceptions.RayActorError):
        return error.actor_init_failed
    return isinstance(error, exceptions.RuntimeEnvSetupError | ValueError | TypeError)


def told_by(error: Exception) -> str:
    """Give the cause in one line: Ray's own words end with it."""
    cause = error.cause if isinstance(error, exceptions.RayTaskError) else error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[-1] if lines else type(cause).__name__


def _plain(address: KeeperAddress) -> Message:
    plain: Message = msgspec.to_builtins(address)
    return plain
