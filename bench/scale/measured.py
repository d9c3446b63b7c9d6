"""What is measured of a tree, and how each figure grows from one size to the next."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from bench.report import Table
from bench.scale.tree import Kind

# A figure that grows with this power of the number, or a larger one, grows worse than it.
WORSE: Final = 1.15
_LESS: Final = 0.85
_STAYS: Final = 0.15


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """Be what a tree of so many workers takes. Times are in seconds.

    ready, stopped: by the clock. memory: of the service's process, in bytes, for all workers; so
    are threads and descriptors.
    While nobody asks anything: loop: share of one core that the event loop's thread takes,
    telemetry and health checks included; process: that of all threads. frames, events: a second.
    Of the event loop's processor time: scrape, tree, tree_json, picture; and their lines, bytes.
    """

    kind: Kind
    workers: int
    ready: float
    stopped: float
    memory: int
    threads: int
    descriptors: int
    loop: float
    process: float
    frames: float
    events: float
    scrape: float
    scrape_lines: int
    scrape_bytes: int
    tree: float
    tree_json: float
    tree_bytes: int
    picture: float
    picture_bytes: int


class Quantity(msgspec.Struct, frozen=True):
    """Name one figure: how it is taken of a tree, and with how many digits it is shown."""

    name: str
    of: Callable[[Measured], float]
    digits: int = 0


QUANTITIES: Final = (
    Quantity("all ready, s", lambda m: m.ready, 2),
    Quantity("all stopped, s", lambda m: m.stopped, 2),
    Quantity("memory of the service, MiB", lambda m: m.memory / 2**20, 1),
    Quantity("threads", lambda m: m.threads),
    Quantity("descriptors", lambda m: m.descriptors),
    Quantity("frames a second, at rest", lambda m: m.frames),
    Quantity("events a second, at rest", lambda m: m.events),
    Quantity("event loop at rest, % of a core", lambda m: 100 * m.loop, 2),
    Quantity("all threads at rest, % of a core", lambda m: 100 * m.process, 2),
    Quantity("/metrics, ms of the loop", lambda m: 1000 * m.scrape, 1),
    Quantity("/metrics, lines", lambda m: m.scrape_lines),
    Quantity("/metrics, KiB", lambda m: m.scrape_bytes / 1024),
    Quantity("a tree's snapshot, ms of the loop", lambda m: 1000 * m.tree, 2),
    Quantity("/tree, ms of the loop besides", lambda m: 1000 * m.tree_json, 2),
    Quantity("/tree, KiB", lambda m: m.tree_bytes / 1024),
    Quantity("the page's picture, ms of the loop", lambda m: 1000 * m.picture, 1),
    Quantity("the page's picture, KiB", lambda m: m.picture_bytes / 1024),
)


def power(small: Measured, large: Measured, of: Callable[[Measured], float]) -> float | None:
    """Give the power of the number that a figure grows with; None where there is nothing yet."""
    before, after = of(small), of(large)
    if before <= 0 or after <= 0:
        return None
    return math.log(after / before) / math.log(large.workers / small.workers)


def growth(power: float | None) -> str:
    """Say in words what a power means."""
    if power is None:
        return "-"
    if power >= WORSE:
        return f"WORSE THAN LINEAR, n^{power:.1f}"
    if power > _LESS:
        return "linear"
    return f"less than linear, n^{power:.1f}" if power > _STAYS else "stays"


def table_of(title: str, trees: Sequence[Measured], note: str = "") -> Table:
    """Show all figures, a column for each size, and how they grow between the largest two."""
    rows = [
        (
            quantity.name,
            *(f"{quantity.of(tree):,.{quantity.digits}f}" for tree in trees),
            growth(power(trees[-2], trees[-1], quantity.of)) if len(trees) > 1 else "-",
        )
        for quantity in QUANTITIES
    ]
    sizes = (f"{tree.workers:,}" for tree in trees)
    return Table(title=title, columns=("", *sizes, "grows"), rows=tuple(rows), note=note)
