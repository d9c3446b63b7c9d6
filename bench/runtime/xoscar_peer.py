"""xoscar: actors in a pool, which others reach by its address."""

from __future__ import annotations

from time import process_time

import xoscar  # type: ignore[import-not-found,import-untyped,unused-ignore]

SETTINGS = "a pool of this process alone (n_process=0), its actor called in the same event loop"
_ADDRESS = "127.0.0.1:13531"


class Echo(xoscar.Actor):  # type: ignore[misc]  # mypy doesn't see it
    def echo(self, number: int) -> int:
        return number


async def ask(operations: int) -> float:
    pool = await xoscar.create_actor_pool(_ADDRESS, n_process=0)
    actor = await xoscar.create_actor(Echo, address=_ADDRESS, uid="echo")
    began = process_time()
    for _ in range(operations):
        await actor.echo(1)
    elapsed = process_time() - began
    await pool.stop()
    return elapsed


async def spawn_and_stop(operations: int) -> float:
    pool = await xoscar.create_actor_pool(_ADDRESS, n_process=0)
    began = process_time()
    for number in range(operations):
        actor = await xoscar.create_actor(Echo, address=_ADDRESS, uid=f"echo-{number}")
        await xoscar.destroy_actor(actor)
    elapsed = process_time() - began
    await pool.stop()
    return elapsed
