"""Degradation: under load, less for each request, so that there is something for all."""

from __future__ import annotations

import enum
import math
from typing import TypeVar

import msgspec

UNKNOWN_LOAD = 0.5

RequestT = TypeVar("RequestT", bound=msgspec.Struct)

# The fields of a request that quality scales, and what they count.
_SCALED = {"max_tokens": "tokens", "num_inference_steps": "steps"}

# 90 * 0.7 is a little less than 63 in floats.
_ROUNDING = 1e-9


class Level(enum.Enum):
    """Name how much a request gets, from all to little."""

    FULL = "full"
    REDUCED = "reduced"
    MINIMAL = "minimal"


_LEVELS = tuple(Level)


class Degradation(msgspec.Struct, frozen=True):
    """Say at what load a request gets less, and how much less. Loads are from 0 to 1.

    reduced_above, minimal_above: the loads above which the level goes up.
    hysteresis: how far the load must fall below that for the level to go down again.
    quality, batch_divisor: for full, reduced and minimal: what tokens and steps are multiplied
        with, and what batch sizes are divided by.
    retry_with_half: whether a request that fails is tried once with half its tokens.
    """

    reduced_above: float = 0.70
    minimal_above: float = 0.90
    hysteresis: float = 0.05
    quality: tuple[float, float, float] = (1.0, 0.7, 0.4)
    batch_divisor: tuple[float, float, float] = (1.0, 1.5, 3.0)
    retry_with_half: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.reduced_above < self.minimal_above <= 1:
            raise ValueError("a degradation needs 0 < reduced_above < minimal_above <= 1")
        if not 0 <= self.hysteresis < self.reduced_above:
            raise ValueError("hysteresis must be at least 0 and less than reduced_above")
        quality, divisor = self.quality, self.batch_divisor
        if len(quality) != 3 or not 1 >= quality[0] >= quality[1] >= quality[2] > 0:
            raise ValueError("quality must be three numbers from 1 down to over 0, none rising")
        if len(divisor) != 3 or not 1 <= divisor[0] <= divisor[1] <= divisor[2] < math.inf:
            raise ValueError("batch_divisor must be three numbers from 1 up, none falling")


class LoadLevelStatistics(msgspec.Struct, frozen=True):
    """Tell the level that holds, what the load alone would ask for, and how often it changed."""

    level: str
    measured: str
    is_forced: bool
    changes: int


class LoadLevel:
    """Follow the load with a level, and stay there while it only wavers."""

    __slots__ = ("_changes", "_degradation", "_forced", "_measured")

    def __init__(self, degradation: Degradation) -> None:
        self._degradation = degradation
        self._measured = Level.FULL
        self._forced: Level | None = None
        self._changes = 0

    @property
    def level(self) -> Level:
        """Give the level that holds."""
        return self._forced or self._measured

    @property
    def is_forced(self) -> bool:
        return self._forced is not None

    def update(self, load: float | None) -> Level:
        """Take note of the load; give the level that holds. None, no sensor, is half."""
        if load is None or math.isnan(load):
            load = UNKNOWN_LOAD
        before = self.level
        # The level must be at least the one, and at most the other; between, it stays.
        lowest = self._levels_below(load)
        highest = self._levels_below(load + self._degradation.hysteresis - _ROUNDING)
        at = _LEVELS.index(self._measured)
        self._measured = _LEVELS[max(lowest, min(at, highest))]
        self._changes += self.level is not before
        return self.level

    def force(self, level: Level | None) -> Level:
        """Have ``level`` hold whatever the load is; None: follow the load again."""
        before = self.level
        self._forced = level
        self._changes += self.level is not before
        return self.level

    def statistics(self) -> LoadLevelStatistics:
        return LoadLevelStatistics(
            self.level.value, self._measured.value, self.is_forced, self._changes
        )

    def _levels_below(self, load: float) -> int:
        limits = (self._degradation.reduced_above, self._degradation.minimal_above)
        return sum(load > limit for limit in limits)

    def __repr__(self) -> str:
        forced = ", forced" if self.is_forced else ""
        return f"<LoadLevel {self.level.value}{forced}>"


def degraded(request: RequestT, level: Level, degradation: Degradation) -> tuple[RequestT, bool]:
    """Give the request with as many tokens and steps as the level allows; tell whether it is less.

    There is at least one of each. It has the divisor for the batch that it will be in, too: only
    the model's worker knows its size. Fields that a request hasn't, or leaves open, stay so.
    """
    at = _LEVELS.index(level)
    changes: dict[str, float] = {
        name: max(1, _floor(value * degradation.quality[at]))
        for name in _SCALED
        if isinstance(value := getattr(request, name, None), int) and value > 1
    }
    if hasattr(request, "batch_divisor"):
        changes["batch_divisor"] = degradation.batch_divisor[at]
    return _replaced(request, changes)


def halved(request: RequestT) -> RequestT | None:
    """Give the request with half of its ``max_tokens``; None where there is nothing to halve."""
    tokens = getattr(request, "max_tokens", None)
    if not isinstance(tokens, int) or tokens < 2:
        return None
    return msgspec.structs.replace(request, max_tokens=tokens // 2)


def warning_for(
    level: Level, asked: msgspec.Struct | None = None, served: msgspec.Struct | None = None
) -> str:
    """Say in words why the answer is smaller; empty at the full level, or where nothing was cut.

    asked, served: the request as it came and as it was served, to say how much was cut.
    """
    if level is Level.FULL:
        return ""
    cut = "less than was asked for"
    if asked is not None and served is not None:
        cut = " and ".join(
            f"at most {after} {what} instead of {before}"
            for name, what in _SCALED.items()
            if (after := getattr(served, name, None)) != (before := getattr(asked, name, None))
        )
    busy = "busy" if level is Level.REDUCED else "very busy"
    return f"The service is {busy}, so the answer was made with {cut}." if cut else ""


def _replaced(request: RequestT, changes: dict[str, float]) -> tuple[RequestT, bool]:
    if all(getattr(request, name) == value for name, value in changes.items()):
        return request, False
    return msgspec.structs.replace(request, **changes), True


def _floor(number: float) -> int:
    return math.floor(number + _ROUNDING)
