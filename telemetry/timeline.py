"""A timeline: how often each of a few keys was seen, slice by slice, for as long as it reaches."""

from __future__ import annotations

from array import array
from typing import Final

import msgspec

from failsoft.telemetry.label_bound import OTHER

SLICE_SECONDS: Final = 10.0
SLICES: Final = 360  # an hour
MOST_KEYS: Final = 200


class TimelineStatistics(msgspec.Struct, frozen=True):
    """Count what a timeline holds. added: ever. folded: ever, of keys there was no room for."""

    keys: int
    added: int
    folded: int
    slots: int


class Timeline:
    """Count keys in slices of time; a slice that is too old leaves as a whole.

    Its size is fixed: a ring of ``slices`` numbers for each of at most ``most_keys`` keys and
    ``other``, where what is beyond them goes. A key that wasn't seen for the whole reach makes
    room. ``now`` is in seconds, on any clock that doesn't go back.
    """

    __slots__ = (
        "_added",
        "_began",
        "_folded",
        "_most_keys",
        "_rings",
        "_slice",
        "_slices",
        "_totals",
        "_width",
    )

    def __init__(
        self,
        *,
        slice_seconds: float = SLICE_SECONDS,
        slices: int = SLICES,
        most_keys: int = MOST_KEYS,
    ) -> None:
        if not slice_seconds > 0 or slices < 1 or most_keys < 1:
            raise ValueError(
                "a timeline needs slices of more than 0 s, and at least 1 slice and key"
            )
        self._width = slice_seconds
        self._slices = slices
        self._most_keys = most_keys
        self._rings: dict[str, array[int]] = {}
        self._totals: dict[str, int] = {}
        self._slice = self._began = -1
        self._added = self._folded = 0

    def begin(self, now: float) -> None:
        """Say that it is counted from now on; the first call counts."""
        if self._began < 0:
            self._began = self._slice = int(now // self._width)

    def add(self, key: str, now: float) -> str:
        """Count ``key``; give what it is counted as. O(1), but once a slice."""
        self.move_to(now)
        ring = self._rings.get(key)
        if ring is None:
            key, ring = self._ring_for(key)
        ring[self._slice % self._slices] += 1
        self._totals[key] += 1
        self._added += 1
        return key

    def _ring_for(self, key: str) -> tuple[str, array[int]]:
        if key != OTHER and len(self._rings) - (OTHER in self._rings) >= self._most_keys:
            key = OTHER
            self._folded += 1
        if key not in self._rings:
            self._rings[key] = array("Q", bytes(8 * self._slices))
            self._totals[key] = 0
        return key, self._rings[key]

    def move_to(self, now: float) -> int:
        """Forget what is too old by now; give the number of the slice that it is."""
        self.begin(now)
        slice = int(now // self._width)
        if slice > self._slice:
            passed = range(max(self._slice + 1, slice - self._slices + 1), slice + 1)
            self._empty([number % self._slices for number in passed])
            self._slice = slice
        return self._slice

    def _empty(self, places: list[int]) -> None:
        for key, ring in tuple(self._rings.items()):
            for place in places:
                self._totals[key] -= ring[place]
                ring[place] = 0
            if not self._totals[key]:
                del self._rings[key], self._totals[key]

    def keys(self) -> tuple[str, ...]:
        """Give the keys that were seen within its reach."""
        return tuple(self._rings)

    def count(self, key: str, seconds: float, now: float) -> int:
        """Count how often ``key`` was seen in the last ``seconds``, or up to one slice less."""
        self.move_to(now)
        ring = self._rings.get(key)
        return 0 if ring is None else self._sum(ring, 0, self._slices_in(seconds))

    def counts(self, seconds: float, now: float) -> dict[str, int]:
        """Give how often each key was seen in the last ``seconds``; the most seen come first."""
        found = {key: self.count(key, seconds, now) for key in self._rings}
        ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
        return {key: count for key, count in ranked if count}

    def windows(self, key: str, seconds: float, most: int, now: float) -> list[int]:
        """Count ``key`` in each of the windows before the last ``seconds``, the latest first.

        Only windows since it began are given: before that, nobody counted.
        """
        self.move_to(now)
        width, ring = self._slices_in(seconds), self._rings.get(key)
        reach = min(self._slice - self._began, self._slices)
        lived = max(0, reach // width - 1)
        if ring is None:
            return [0] * min(most, lived)
        return [self._sum(ring, width * (number + 1), width) for number in range(min(most, lived))]

    def per_minute(self, now: float) -> tuple[int, ...]:
        """Count all keys in each minute within its reach, the oldest first."""
        self.move_to(now)
        width = self._slices_in(60.0)
        starts = range(self._slices // width * width - width, -1, -width)
        rings = self._rings.values()
        return tuple(sum(self._sum(ring, start, width) for ring in rings) for start in starts)

    def _slices_in(self, seconds: float) -> int:
        return max(1, min(self._slices, round(seconds / self._width)))

    def _sum(self, ring: array[int], ago: int, width: int) -> int:
        """Add up ``width`` slices, the latest of which is ``ago`` slices before the present one."""
        last = (self._slice - ago) % self._slices + 1
        first = last - width
        return sum(ring[first:last]) if first >= 0 else sum(ring[:last]) + sum(ring[first:])

    def statistics(self) -> TimelineStatistics:
        """Count what it holds."""
        slots = len(self._rings) * self._slices
        return TimelineStatistics(len(self._rings), self._added, self._folded, slots)

    def __repr__(self) -> str:
        return f"<Timeline {self._added} added, {len(self._rings)} keys, {self._slices} slices>"
