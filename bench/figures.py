"""What was measured: ours, the peer's, the ratio, and what was aimed at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from bench.paired import Spread


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
    def peer_wins(self) -> bool:
        """Tell whether the peer's median is the better one."""
        if self.ratio is None or not self.is_rival:
            return False
        return self.ratio.median > 1 if self.less_is_better else self.ratio.median < 1


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
        said = f"{figure.name:<44}{_number(figure.ours):>26} {figure.unit}"
        if figure.theirs is not None and figure.ratio is not None:
            said += f"; {figure.peer}: {_number(figure.theirs)}; ratio {figure.ratio:.3f}"
        lines.append(said + _verdict(figure))
    return lines


def _verdict(figure: Figure) -> str:
    said = ""
    if figure.is_met is not None:
        aim = figure.at_least if figure.at_least is not None else figure.at_most
        word = "at least" if figure.at_least is not None else "at most"
        met = "as it must be" if figure.is_met else "NOT AS IT MUST BE"
        said = f", {word} {aim:g}: {met}"
    return said + ("; the peer wins" if figure.peer_wins else "")


def _number(spread: Spread) -> str:
    digits = ",.0f" if spread.median >= 1000 else ".1f" if spread.median >= 10 else ".3f"
    return f"{spread:{digits}}"
