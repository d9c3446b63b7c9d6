"""Damping: a verdict that doesn't turn with every single result."""

from __future__ import annotations


class Damping:
    """Make a verdict of results that come one by one.

    bad_after, good_after: how many in a row turn the verdict. The first one is the verdict by
    itself: before it there is none that could flap.
    """

    __slots__ = ("_bad_after", "_good_after", "_in_a_row", "_last", "verdict")

    def __init__(self, bad_after: int, good_after: int) -> None:
        if bad_after < 1 or good_after < 1:
            raise ValueError("bad_after and good_after must be at least 1")
        self._bad_after = bad_after
        self._good_after = good_after
        self._last: bool | None = None
        self._in_a_row = 0
        self.verdict: bool | None = None

    def add(self, is_good: bool) -> bool:
        """Take a result in; give the verdict."""
        self._in_a_row = self._in_a_row + 1 if is_good is self._last else 1
        self._last = is_good
        needed = self._good_after if is_good else self._bad_after
        if self.verdict is None or self._in_a_row >= needed:
            self.verdict = is_good
        return self.verdict

    def __repr__(self) -> str:
        return f"<Damping {self.verdict}, {self._last} {self._in_a_row} times in a row>"
