"""The benchmark of the runtime: ours, and bare asyncio, do so many operations, and end."""

from __future__ import annotations

import asyncio

import pytest
from bench.paired import Sample
from bench.runtime import alone, bare, samples


@pytest.mark.parametrize(
    "sample",
    [
        *(samples.tell, samples.ask, samples.spawn_and_stop, samples.spawn_ask_and_stop),
        *(bare.queue, bare.two_futures, bare.one_task),
        *(alone.tree_of_supervisors, alone.restarts, alone.crowd),
    ],
)
def test_each_does_what_it_times(sample: Sample) -> None:
    """It ends, by what it did, and has taken some time."""

    async def run() -> float:
        return await sample(2 * samples.BURST)

    assert asyncio.run(run()) > 0


def test_a_clock_is_taken_where_a_peer_works_in_other_processes() -> None:
    ticks = iter([1.0, 4.0])
    assert asyncio.run(samples.ask(1, clock=lambda: next(ticks))) == 3.0
