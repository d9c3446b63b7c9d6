"""Probes: the few calls that go through a half-open circuit."""

from __future__ import annotations


class _Permit(int):
    """A probe's permit: the generation, as any permit, and by its identity which probe it is."""

    __slots__ = ()


class Probes:
    """Hold the places for probes: ``size`` at a time, each for ``seconds`` at most."""

    __slots__ = ("_places", "_seconds", "_size")

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        # By identity, since all permits of a generation are equal. The oldest comes first.
        self._places: dict[int, tuple[int, float]] = {}

    @property
    def is_full(self) -> bool:
        """Tell whether all places are taken."""
        return len(self._places) >= self._size

    def take(self, generation: int, now: float) -> int:
        """Take a place; give its permit. There must be one."""
        permit = _Permit(generation)
        self._places[id(permit)] = (permit, now + self._seconds)
        return permit

    def give_back(self, permit: int) -> bool:
        """Free a probe's place; tell whether it had one.

        A number that is only equal to the permit doesn't tell which probe: the oldest then.
        """
        key = id(permit) if isinstance(permit, _Permit) else next(iter(self._places), 0)
        return self._places.pop(key, None) is not None

    def first_end(self) -> float | None:
        """Give when the oldest probe's time is over; None where there is no probe."""
        for _, end in self._places.values():
            return end
        return None

    def clear(self) -> None:
        """Free all places."""
        self._places.clear()

    def __repr__(self) -> str:
        return f"<Probes {len(self._places)}/{self._size}>"
