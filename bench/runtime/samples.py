"""Ours: some operations, and the seconds that they took, by a clock that is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import process_time

from failsoft.actors import Actor, System, handles
from failsoft.messages import Message, Request

# A sender that never waits would fill the mailbox: it sends so many, then lets the other run.
BURST = 64

Clock = Callable[[], float]


class Tick(Message, frozen=True):
    pass


class Echo(Request[int], frozen=True):
    number: int


class Ticked(Actor):
    """Count ticks; set ``done`` at the last."""

    def __init__(self, ticks: int) -> None:
        self.left = ticks
        self.done = asyncio.get_running_loop().create_future()

    @handles(Tick)
    def tick(self, _message: Tick) -> None:
        self.left -= 1
        if not self.left:
            self.done.set_result(None)

    @handles(Echo)
    def echo(self, message: Echo) -> int:
        return message.number


class Idle(Actor):
    @handles(Tick)
    def tick(self, _message: Tick) -> None:
        pass


async def tell(operations: int) -> float:
    actor = Ticked(operations)
    async with System() as system:
        ref = await system.spawn(lambda: actor, "ticked")
        message = Tick()
        began = process_time()
        for _ in range(operations // BURST):
            for _ in range(BURST):
                ref.tell(message)
            await asyncio.sleep(0)
        await actor.done
        return process_time() - began


async def ask(operations: int, clock: Clock = process_time) -> float:
    async with System() as system:
        ref = await system.spawn(lambda: Ticked(1), "ticked")
        request = Echo(1)
        began = clock()
        for _ in range(operations):
            await ref.ask(request)
        return clock() - began


async def spawn_and_stop(operations: int) -> float:
    async with System() as system:
        began = process_time()
        for _ in range(operations):
            await system.stop(await system.spawn(Idle, "idle"))
        return process_time() - began


async def spawn_ask_and_stop(operations: int, clock: Clock = process_time) -> float:
    async with System() as system:
        request = Echo(1)
        began = clock()
        for _ in range(operations):
            ref = await system.spawn(lambda: Ticked(1), "ticked")
            await ref.ask(request)
            await system.stop(ref)
        return clock() - began
