"""Paired measurements: ours and a peer's take turns, so that what the machine does hits both."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

from bench.figures import Figure, against

# Do a number of operations; give the seconds that they took: of processor time, wherever all that
# is done is done in this process, so that a busy neighbour doesn't count.
Sample = Callable[[int], Awaitable[float]]


def compare(
    name: str,
    ours: Sample,
    peer_name: str,
    peer: Sample,
    *,
    operations: int,
    rounds: int,
    at_least: float | None = None,
    unit: str = "µs",
    **rest: Any,
) -> Figure:
    """Measure ours, the peer, ours, the peer … each time in a new event loop.

    at_least: how many times as fast as the peer ours is to be.
    """
    # The first round warms up.
    seconds = [(_run(ours, operations), _run(peer, operations)) for _ in range(rounds + 1)][1:]
    return against(
        name,
        unit,
        [(1e6 * mine / operations, 1e6 * its / operations) for mine, its in seconds],
        peer=peer_name,
        less_is_better=True,
        at_most=None if at_least is None else 1 / at_least,
        **rest,
    )


def _run(sample: Sample, operations: int) -> float:
    async def run() -> float:
        return await sample(operations)

    gc.collect()
    return asyncio.run(run())
