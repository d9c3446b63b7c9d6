"""Growth: what may not grow, by how much it seems to, and whether that is too much.

Judged is what was held when nobody asked and all was ready. Under traffic the same figures jump
by more than any leak adds in an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from bench.soak.fit import Line, fit
from bench.soak.sample import Sample

# Of the run, what counts as warm-up: caches fill, and the allocator finds its size.
WARM_UP: Final = 0.2
# A line through less time tells of the warm-up, and is not judged.
LEAST_SECONDS: Final = 600.0
# What may be added in an hour. A leak of 240 bytes for each of 12 requests a second is 10 MiB;
# below it are eight workers. Others must not grow at all, and 1 tells that from rounding.
# Not here, and told all the same: new kinds of errors make new lines of metrics, up to a bound; lag
# is the machine's as well.
BOUNDS: Final = {
    "service": 10.0,
    "resident": 10.0,
    "below": 80.0,
    "descriptors": 1.0,
    "threads": 1.0,
    "tasks": 1.0,
    "actors": 1.0,
}
WORDS: Final = {
    "service": "memory of the service, MiB",
    "resident": "resident memory of the service, MiB",
    "below": "memory of all processes below it, MiB",
    "keepers": "of which reaper and templates",
    "workers": "of which workers",
    "descriptors": "descriptors of the service",
    "threads": "threads of the service",
    "tasks": "tasks of its event loop",
    "actors": "actors",
    "series": "lines of its metrics",
    "lag": "lag of its event loop, ms",
}


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """Tell how a figure went. first, last: at the end of the warm-up, and of the run.

    line: by the hour; None where there is too little to draw one through. bound: how much an hour
    may add; None where it isn't judged.
    """

    name: str
    first: float
    last: float
    least: float
    most: float
    line: Line | None
    bound: float | None

    @property
    def is_too_much(self) -> bool:
        """Tell whether it grows by more than the bound, beyond doubt."""
        return self.line is not None and self.bound is not None and self.line.low > self.bound

    def __str__(self) -> str:
        grows = "" if self.line is None else f" grows by {slope_in_words(self.line)}"
        return f"{WORDS[self.name]}:{grows}, of which {self.bound:g} are allowed"


def growths(samples: Sequence[Sample], seconds: float) -> tuple[Growth, ...]:
    """Give how each figure went, in a run that took so long."""
    calm = [each for each in samples if each.is_calm and each.at >= WARM_UP * seconds]
    busy = [each for each in samples if not each.is_calm and each.at >= WARM_UP * seconds]
    is_judged = seconds >= LEAST_SECONDS
    found = []
    for name in WORDS:
        of = busy if name == "lag" else calm
        points = [
            (each.at / 3600, value) for each in of if (value := getattr(each, name)) is not None
        ]
        if points:
            values = [value for _, value in points]
            found.append(
                Growth(
                    name=name,
                    first=values[0],
                    last=values[-1],
                    least=min(values),
                    most=max(values),
                    line=fit(points),
                    bound=BOUNDS.get(name) if is_judged else None,
                )
            )
    return tuple(found)


def slope_in_words(line: Line) -> str:
    """Give the slope and its interval."""
    return f"{line.slope:+.2f} an hour ({line.low:+.2f} to {line.high:+.2f})"
