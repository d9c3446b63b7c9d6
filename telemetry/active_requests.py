"""Active requests: how many requests over HTTP are under way now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


class ActiveRequests:
    """Count requests by method and scheme, of which there are few: an extension of the system.

    It is read at each scrape. A sum of events would stay wrong for ever once one was dropped.
    """

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def begin(self, kind: tuple[str, str]) -> None:
        """Count one more."""
        self._counts[kind] += 1

    def end(self, kind: tuple[str, str]) -> None:
        """Count one less."""
        self._counts[kind] -= 1

    @property
    def counts(self) -> Mapping[tuple[str, str], int]:
        """Give how many there are, of each kind that there ever was."""
        return self._counts

    async def aclose(self) -> None: ...

    def __repr__(self) -> str:
        return f"<ActiveRequests {self._counts.total()}>"
