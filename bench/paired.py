"""Paired measurements: ours and a peer's take turns, so that what the machine does hits both."""

from __future__ import annotations

import asyncio
import gc
import statistics
from collections.abc import Awaitable, Callable, Sequence

import msgspec

# Do a number of operations; give the seconds of processor time that they took. All that is
# compared here is bound by the processor, and so a busy neighbour doesn't count.
Sample = Callable[[int], Awaitable[float]]


class Spread(msgspec.Struct, frozen=True):
    """Give a median with the least and the most of the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.least:{spec}} to {self.most:{spec}})"


class Paired(msgspec.Struct, frozen=True):
    """Compare ours with a peer.

    ours_us, peer_us: microseconds an operation. ratio: how many times as fast as the peer ours
    is, round by round; ``at_least`` is the aim.
    """

    name: str
    peer: str
    operations: int
    ours_us: Spread
    peer_us: Spread
    ratio: Spread
    at_least: float | None

    @classmethod
    def of(
        cls,
        name: str,
        peer: str,
        times: Sequence[tuple[float, float]],
        operations: int,
        at_least: float | None,
    ) -> Paired:
        """Make it of the seconds that ``operations`` took, of ours and of the peer, each round."""
        microseconds = 1e6 / operations
        return cls(
            name=name,
            peer=peer,
            operations=operations,
            ours_us=Spread.of([mine * microseconds for mine, _ in times]),
            peer_us=Spread.of([theirs * microseconds for _, theirs in times]),
            ratio=Spread.of([theirs / mine for mine, theirs in times]),
            at_least=at_least,
        )

    def __str__(self) -> str:
        aim = "" if self.at_least is None else f", at least {self.at_least:g}"
        return (
            f"{self.name:<22} {self.ours_us:.2f} µs; {self.peer}: {self.peer_us:.2f} µs; "
            f"ratio {self.ratio:.2f}{aim}"
        )


def compare(
    name: str,
    ours: Sample,
    peer_name: str,
    peer: Sample,
    *,
    operations: int,
    rounds: int,
    at_least: float | None = None,
) -> Paired:
    """Measure ours, the peer, ours, the peer … each time in a new event loop."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        times.append((_run(ours, operations), _run(peer, operations)))
    # The first round warms up.
    return Paired.of(name, peer_name, times[1:], operations, at_least)


def _run(sample: Sample, operations: int) -> float:
    async def run() -> float:
        return await sample(operations)

    gc.collect()
    return asyncio.run(run())
