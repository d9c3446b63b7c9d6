"""A bound for labels: so many values of each, and ``other`` for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OTHER: Final = "other"

MOST_VALUES: Final = 200
_LONGEST = 256


class LabelBound:
    """Admit the first ``most`` values of each label; give ``other`` in place of the rest.

    Every value that a label has had is a time series for as long as the process lives, here and
    in Prometheus. Children of a dynamic supervisor, each with a name of its own, would make ever
    more of them.
    """

    __slots__ = ("_admitted", "_most", "_refused")

    def __init__(self, most: int = MOST_VALUES) -> None:
        if most < 1:
            raise ValueError(f"a label needs room for at least 1 value; most is {most}")
        self._most = most
        self._admitted: dict[str, set[str]] = {}
        self._refused: dict[str, int] = {}

    def admit(self, label: str, value: str) -> str:
        """Give ``value`` where it is known or there is room for it; else ``other``, counted.

        No value, which is the empty text, takes no room.
        """
        if not value:
            return value
        admitted = self._admitted.setdefault(label, set())
        if value in admitted:
            return value
        if len(admitted) >= self._most or len(value) > _LONGEST:
            self._refused[label] = self._refused.get(label, 0) + 1
            return OTHER
        admitted.add(value)
        return value

    @property
    def refused(self) -> Mapping[str, int]:
        """Give how often there was ``other`` in place of a value, by label."""
        return MappingProxyType(self._refused)

    def __repr__(self) -> str:
        values = ", ".join(f"{label} {len(known)}" for label, known in self._admitted.items())
        return f"<LabelBound {values or 'nothing'}; at most {self._most} each>"
