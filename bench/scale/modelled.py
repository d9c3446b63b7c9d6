"""What wasn't run: calculated from the largest trees that were, as all of it grows linearly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bench.report import Table
from bench.scale.measured import Measured

SIZES: Final = (1_000, 10_000, 100_000)
# In seconds: the default of ``heartbeat_every``, and one with which a hang is found in a minute.
EVERY: Final = (0.5, 10.0)


def beat_seconds(trees: Sequence[Measured]) -> float:
    """Give the event loop's processor time for one heartbeat, telemetry's event included.

    Of a tree alone all that it does at rest is in it.
    """
    small, large = trees[0], trees[-1]
    if len(trees) == 1:
        return large.loop / large.frames
    return max(0.0, large.loop - small.loop) / (large.frames - small.frames)


def modelled(
    threads: Sequence[Measured], processes: Sequence[Measured], plain: Sequence[Measured]
) -> Table:
    """Calculate what one service would take, from trees of each kind, the smallest first."""
    beat, largest = beat_seconds(threads), plain[-1]
    memory = processes[-1].memory / processes[-1].workers
    rows = [("memory of the service, MiB", *(f"{memory * size / 2**20:,.0f}" for size in SIZES))]
    for every in EVERY:
        shares = (f"{100 * beat * size / every:,.0f}" for size in SIZES)
        rows.append((f"heartbeats each {every:g} s, % of a core", *shares))
    for name, seconds in (
        ("a tree's snapshot, ms of the loop", largest.tree),
        ("/metrics, ms of the loop", largest.scrape),
        ("the page's picture, ms of the loop", largest.picture),
    ):
        rows.append((name, *(f"{1000 * seconds * size / largest.workers:,.0f}" for size in SIZES)))
    return Table(
        title="one service, modelled",
        columns=("", *(f"{size:,}" for size in SIZES)),
        rows=tuple(rows),
        note=(
            f"Calculated: memory from workers in processes; {1e6 * beat:.0f} µs of the loop a "
            f"heartbeat, from those in threads; the last three from {largest.workers:,} actors "
            "without workers. More than 100 % can't be: so many workers need several services."
        ),
    )
