"""The timeline: virtual time, as a heap of calls that are due."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Timeline:
    """Make calls in order of their time; those of one time in the order they were asked for.

    now: in seconds. events: calls made so far.
    """

    __slots__ = ("_asked", "_heap", "events", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._asked = 0
        self._heap: list[tuple[float, int, Callable[[Any], object], Any]] = []

    def at(self, time: float, call: Callable[[Any], object], subject: Any) -> None:
        """Have ``call(subject)`` made at ``time``; where that is past, now."""
        self._asked += 1
        heappush(self._heap, (time if time > self.now else self.now, self._asked, call, subject))

    def after(self, seconds: float, call: Callable[[Any], object], subject: Any) -> None:
        """Have ``call(subject)`` made in so many seconds."""
        self.at(self.now + seconds, call, subject)

    def run(self, until: float) -> None:
        """Make the calls that are due up to ``until``, and go on to that time."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            self.now, _, call, subject = heappop(heap)
            call(subject)
            self.events += 1
        self.now = until

    def __repr__(self) -> str:
        return f"<Timeline {self.now:g} s, {self.events} events, {len(self._heap)} to come>"
