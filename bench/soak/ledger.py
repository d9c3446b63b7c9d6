"""The ledger of a round: how each request ended, by the way in which it was asked."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bench.soak.ends import ANSWERED, BAD, UNTAKEN

_SHOWN = 20

Ends = dict[str, dict[str, int]]


class Told(msgspec.Struct):
    """Tell of a round. ends: of each way, how often which.

    answered: the ids of those that a model answered in full. untaken: of those that a service that
    ends is said not to have taken. bursts: times of overload.
    """

    asked: int = 0
    bursts: int = 0
    ends: Ends = {}
    answered: list[str] = []
    untaken: list[str] = []
    complaints: list[str] = []

    def note(self, id: str, way: str, end: str, why: str = "", *, by_model: bool = False) -> None:
        """Write down the end of a request."""
        ends = self.ends.setdefault(way, {})
        ends[end] = ends.get(end, 0) + 1
        if end == ANSWERED and by_model:
            self.answered.append(id)
        if end == UNTAKEN:
            self.untaken.append(id)
        if end in BAD and len(self.complaints) < _SHOWN:
            self.complaints.append(f"{id}, {way}: {end} {why}".strip())


def added(first: Mapping[str, Mapping[str, int]], second: Mapping[str, Mapping[str, int]]) -> Ends:
    """Give the ends of both together."""
    return {
        way: {
            end: first.get(way, {}).get(end, 0) + second.get(way, {}).get(end, 0)
            for end in sorted({*first.get(way, {}), *second.get(way, {})})
        }
        for way in sorted({*first, *second})
    }


def totals(ends: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Give how often which end was, over all ways."""
    found: dict[str, int] = {}
    for each in ends.values():
        for end, count in each.items():
            found[end] = found.get(end, 0) + count
    return found


def told_wrong(told: Told, finished: Mapping[str, int]) -> list[str]:
    """Give the requests whose end is another one by the service's log than by the clients.

    finished: how often the log says of which request that it is.
    """
    twice = [f"{id}: finished {n} times, by the log" for id, n in finished.items() if n > 1]
    never = [f"{id}: answered, but not by the log" for id in told.answered if id not in finished]
    taken = [f"{id}: no answer, but finished by the log" for id in told.untaken if id in finished]
    return twice + never + taken
