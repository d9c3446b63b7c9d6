"""A line through figures that heeds no outlier: Theil and Sen's, and how sure its slope is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from statistics import NormalDist, median
from typing import Final

import msgspec

# Several lines are judged in a run, and none of them should be judged wrongly by chance.
CONFIDENCE: Final = 0.99
# Below it, the interval is as wide as the slopes there are.
LEAST_POINTS: Final = 4


class Line(msgspec.Struct, frozen=True):
    """Be ``at + slope * x``. The slope is between ``low`` and ``high`` with 99 % confidence."""

    at: float
    slope: float
    low: float
    high: float


def fit(points: Sequence[tuple[float, float]]) -> Line | None:
    """Fit a line to (x, y): the median of all slopes between two, and Sen's interval around it.

    None where there are fewer than 4 points, or all at one x.
    """
    slopes = sorted((d - b) / (c - a) for (a, b), (c, d) in combinations(points, 2) if a != c)
    if len(points) < LEAST_POINTS or not slopes:
        return None
    slope = median(slopes)
    count = len(points)
    # Kendall's statistic, of which so many pairs may be off by chance.
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    off = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * spread
    first = max(0, math.floor((len(slopes) - off) / 2))
    at = median(y - slope * x for x, y in points)
    return Line(at, slope, slopes[first], slopes[-1 - first])
