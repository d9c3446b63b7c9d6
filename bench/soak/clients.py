"""The clients, a process of their own: ``python -m bench.soak.clients URL SEED RATE``.

Each line read is an order for a round, each line written tells of it, in JSON.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from bench.soak.crowd import Crowd
from bench.soak.order import Order
from failsoft.gpu.process.prctl import tie_to_parent


async def _rounds(url: str, seed: int, rate: float) -> None:
    crowd = Crowd(url, seed, rate)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = msgspec.json.decode(line, type=Order)
        told = await crowd.round(order.seconds, is_ending=order.is_ending)
        print(msgspec.json.encode(told).decode(), flush=True)


if __name__ == "__main__":
    tie_to_parent(os.getppid())
    asyncio.run(_rounds(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
