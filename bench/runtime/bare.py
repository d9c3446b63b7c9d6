"""asyncio with nothing on it: what an actor on it can't be faster than, or hardly."""

from __future__ import annotations

import asyncio
from time import process_time

from bench.runtime.samples import BURST, Tick


async def queue(operations: int) -> float:
    queue: asyncio.Queue[Tick] = asyncio.Queue()
    message = Tick()

    async def consume() -> None:
        left = operations
        while left:
            await queue.get()
            left -= 1

    consumer = asyncio.create_task(consume())
    await asyncio.sleep(0)
    began = process_time()
    for _ in range(operations // BURST):
        for _ in range(BURST):
            await queue.put(message)
        await asyncio.sleep(0)
    await consumer
    return process_time() - began


async def two_futures(operations: int) -> float:
    loop = asyncio.get_running_loop()
    asked: asyncio.Future[asyncio.Future[int]] = loop.create_future()

    async def answer() -> None:
        nonlocal asked
        for _ in range(operations):
            reply = await asked
            asked = loop.create_future()
            reply.set_result(1)

    answering = asyncio.create_task(answer())
    await asyncio.sleep(0)
    began = process_time()
    for _ in range(operations):
        reply: asyncio.Future[int] = loop.create_future()
        asked.set_result(reply)
        await reply
    elapsed = process_time() - began
    await answering
    return elapsed


async def one_task(operations: int) -> float:
    async def wait(started: asyncio.Event) -> None:
        started.set()
        await asyncio.Event().wait()

    began = process_time()
    for _ in range(operations):
        started = asyncio.Event()
        task = asyncio.create_task(wait(started))
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
    return process_time() - began
