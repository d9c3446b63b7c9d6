"""What was measured: ours, the peer's, the ratio, and what was aimed at."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import msgspec


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


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Tell one thing that was measured, over some rounds.

    unit: of ours and the peer's. less_is_better: a time, where it isn't set: a rate.
    ratio: ours over the peer's, round by round. at_least, at_most: the aim; None where none was
    set. judges_ours: the aim is for ours as it is, and not for the ratio.
    is_rival: the peer does the same in another way. Where it does only a part of it, it can't win.
    """

    name: str
    unit: str
    ours: Spread
    peer: str | None = None
    theirs: Spread | None = None
    ratio: Spread | None = None
    less_is_better: bool = False
    at_least: float | None = None
    at_most: float | None = None
    judges_ours: bool = False
    is_rival: bool = True

    @property
    def judged(self) -> Spread:
        """Give what the aim is about."""
        return self.ours if self.ratio is None or self.judges_ours else self.ratio

    @property
    def is_met(self) -> bool | None:
        """Tell whether the median is as aimed at; None where nothing was."""
        value = self.judged.median
        if self.at_least is not None:
            return value >= self.at_least
        if self.at_most is not None:
            return value <= self.at_most
        return None

    @property
    def gain(self) -> Spread | None:
        """Give how many times as good as the peer ours is: half of its time is twice as good."""
        ratio = self.ratio
        if ratio is None or not self.less_is_better:
            return ratio
        return Spread(_inverse(ratio.median), _inverse(ratio.most), _inverse(ratio.least))

    @property
    def aimed_gain(self) -> float | None:
        """Give the aim in the same terms; None where there is none, or it is for ours alone."""
        if self.ratio is None or self.judges_ours:
            return None
        aim = self.at_least if self.at_least is not None else self.at_most
        return _inverse(aim) if aim is not None and self.less_is_better else aim

    @property
    def peer_wins(self) -> bool:
        """Tell whether the peer's median is the better one."""
        return self.gain is not None and self.is_rival and self.gain.median < 1


def _inverse(ratio: float) -> float:
    return 1 / ratio if ratio else math.inf


def against(
    name: str, unit: str, pairs: Sequence[tuple[float, float]], *, peer: str, **rest: Any
) -> Figure:
    """Give the figure of ``pairs``: ours and the peer's, of each round."""
    return Figure(
        name=name,
        unit=unit,
        ours=Spread.of([ours for ours, _ in pairs]),
        peer=peer,
        theirs=Spread.of([theirs for _, theirs in pairs]),
        ratio=Spread.of([ours / theirs for ours, theirs in pairs]),
        **rest,
    )


def lines_of(figures: Sequence[Figure]) -> list[str]:
    """Give what is printed of ``figures``: each with its aim, and who wins."""
    lines = []
    for figure in figures:
        said = f"{figure.name:<44}{number(figure.ours):>26} {figure.unit}"
        if figure.theirs is not None and figure.gain is not None:
            said += f"; {figure.peer}: {number(figure.theirs)}; {number(figure.gain)} times as good"
        lines.append(said + _verdict(figure))
    return lines


def _verdict(figure: Figure) -> str:
    said = ""
    if figure.is_met is not None:
        met = "as it must be" if figure.is_met else "NOT AS IT MUST BE"
        said = f", {aim_of(figure)}: {met}"
    return said + ("; the peer wins" if figure.peer_wins else "")


def aim_of(figure: Figure) -> str:
    """Give in words what was aimed at: of the ratio, where more is better, or of ours."""
    if figure.aimed_gain is not None:
        return f"at least {round(figure.aimed_gain, 3):g} times"
    if figure.at_least is not None:
        return f"at least {figure.at_least:g} {figure.unit}"
    return "" if figure.at_most is None else f"at most {figure.at_most:g} {figure.unit}"


def number(spread: Spread) -> str:
    """Give a median with its ends, if it has any, and with no more digits than they tell."""
    digits = ",.0f" if spread.median >= 1000 else ".1f" if spread.median >= 10 else ".3f"
    return f"{spread.median:{digits}}" if spread.least == spread.most else f"{spread:{digits}}"
