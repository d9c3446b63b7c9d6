"""What a request's way costs by the number of replicas: the pool's pick, and router and pool."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from time import process_time
from typing import Final

from bench.figures import Figure, Spread
from bench.scale.tree import Plain, replicated
from failsoft.actors import System
from failsoft.messages import GenerateText
from failsoft.supervisors import Breaker, router
from failsoft.supervisors.pool.replica import Replicas

MOST_PICK_US: Final = 5.0
# What the pick is judged at.
JUDGED: Final = 1000
_REQUEST: Final = GenerateText("hello", max_tokens=16)


def pick_us(replicas: int, picks: int) -> float:
    """Give the microseconds of one: draw two, take one, and keep the accounts of it."""
    pool = Replicas(Random(1), None, Breaker())
    for number in range(replicas):
        pool.set_ready(pool.add(str(number)), True)
    began = process_time()
    for number in range(picks):
        now = float(number)
        replica = pool.choose(_REQUEST, (), now)
        assert replica is not None
        sent = pool.send(replica, None, now)
        assert sent is not None
        del replica.attempts[sent]
        replica.succeeded(sent, now)
    return (process_time() - began) / picks * 1e6


async def way_us(replicas: int, asks: int) -> float:
    """Give the microseconds of an ask by way of a router and a pool of ``replicas``, bare ask off.

    They answer at once, and have no worker.
    """
    async with System() as system:
        bare = await system.spawn(Plain, "bare")
        spec = router("text", replicated("plain", replicas))
        routed = await system.spawn(spec.start, spec.id)
        took = []
        for ref in (bare, routed):
            began = process_time()
            for _ in range(asks):
                await ref.ask(_REQUEST)
            took.append(process_time() - began)
    return (took[1] - took[0]) / asks * 1e6


async def pool_ms(replicas: int) -> float:
    """Give the milliseconds that one pool of ``replicas`` without workers takes to start and stop.

    The supervisor looks through its children at each step, so this grows with their square.
    """
    began = process_time()
    async with System() as system:
        spec = router("text", replicated("plain", replicas))
        await system.spawn(spec.start, spec.id)
    return 1000 * (process_time() - began)


async def figures(sizes: Sequence[int], rounds: int, operations: int) -> list[Figure]:
    """Measure all three for each number of replicas."""
    found = []
    for size in sizes:
        found.append(
            Figure(
                name=f"a pool's pick, {size:,} replicas",
                unit="µs",
                ours=Spread.of([pick_us(size, operations) for _ in range(rounds)]),
                less_is_better=True,
                at_most=MOST_PICK_US if size == JUDGED else None,
            )
        )
    for size in sizes:
        found.append(
            Figure(
                name=f"the way through router and pool, {size:,}",
                unit="µs",
                ours=Spread.of([await way_us(size, operations // 10) for _ in range(rounds)]),
                less_is_better=True,
            )
        )
    for size in sizes:
        found.append(
            Figure(
                name=f"one pool's start and stop, {size:,}",
                unit="ms",
                ours=Spread.of([await pool_ms(size) for _ in range(rounds)]),
                less_is_better=True,
            )
        )
    return found
