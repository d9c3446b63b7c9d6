"""What has no peer: a tree of supervisors, restarts, a crowd of actors."""

from __future__ import annotations

import asyncio
from time import process_time

from bench.runtime.samples import Idle, Tick
from failsoft.actors import Actor, Ping, System, handles
from failsoft.messages import Message
from failsoft.messages.events import ChildRestarted
from failsoft.supervisors import NO_WAIT, Intensity, Supervisor, child, supervisor


class Boom(Message, frozen=True):
    pass


class Fragile(Actor):
    @handles(Boom)
    def boom(self, _message: Boom) -> None:
        raise RuntimeError("boom")


async def tree_of_supervisors(count: int) -> float:
    """Start a supervisor of ``count`` supervisors; give the seconds that it took."""
    inner = [child(f"s{n}", lambda: Supervisor([child("idle", Idle)])) for n in range(count)]
    async with System() as system:
        began = process_time()
        await system.spawn(lambda: Supervisor(inner), "root")
        return process_time() - began


async def restarts(count: int) -> float:
    """Have a child fail ``count`` times; give the seconds from each failure to the restart."""
    endless = Intensity(max_restarts=count)
    tree = supervisor("root", child("fragile", Fragile), backoff=NO_WAIT, intensity=endless)
    async with System() as system:
        restarted = asyncio.Event()
        system.events.subscribe(lambda _event: restarted.set(), ChildRestarted)
        await system.spawn(tree.start, "root")
        fragile = system.ref("root/fragile")
        began = process_time()
        for _ in range(count):
            restarted.clear()
            fragile.tell(Boom())
            await restarted.wait()
        return process_time() - began


async def crowd(count: int) -> float:
    """Have ``count`` actors alive at once, each of which has handled a message; give seconds."""
    async with System() as system:
        began = process_time()
        refs = [await system.spawn(Idle, str(number)) for number in range(count)]
        for ref in refs:
            ref.tell(Tick())
        await refs[-1].ask(Ping())
        elapsed = process_time() - began
        assert all(ref.statistics().handled for ref in refs)
        return elapsed
