"""The peers of the runtime's benchmark: other actor libraries, used as their own docs say.

Needs the extra ``bench``. Each sample gives the processor time of all threads of the process.
"""

from __future__ import annotations

import logging
from time import process_time

import pykka
import xoscar  # type: ignore[import-untyped]

_ADDRESS = "127.0.0.1:13531"


class PykkaEcho(pykka.ThreadingActor):
    def on_receive(self, message: int) -> int:
        return message


class XoscarEcho(xoscar.Actor):  # type: ignore[misc]  # xoscar is not typed
    def echo(self, number: int) -> int:
        return number


async def pykka_ask(operations: int) -> float:
    actor = PykkaEcho.start()
    began = process_time()
    for _ in range(operations):
        actor.ask(1)
    elapsed = process_time() - began
    actor.stop()
    return elapsed


async def pykka_spawn_and_stop(operations: int) -> float:
    logging.getLogger("pykka").setLevel(logging.WARNING)
    began = process_time()
    for _ in range(operations):
        PykkaEcho.start().stop()
    return process_time() - began


async def xoscar_ask(operations: int) -> float:
    pool = await xoscar.create_actor_pool(_ADDRESS, n_process=0)
    actor = await xoscar.create_actor(XoscarEcho, address=_ADDRESS, uid="echo")
    began = process_time()
    for _ in range(operations):
        await actor.echo(1)
    elapsed = process_time() - began
    await pool.stop()
    return elapsed


async def xoscar_spawn_and_stop(operations: int) -> float:
    pool = await xoscar.create_actor_pool(_ADDRESS, n_process=0)
    began = process_time()
    for number in range(operations):
        actor = await xoscar.create_actor(XoscarEcho, address=_ADDRESS, uid=f"echo-{number}")
        await xoscar.destroy_actor(actor)
    elapsed = process_time() - began
    await pool.stop()
    return elapsed
