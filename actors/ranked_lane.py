"""A work lane whose messages have priorities: in place of the plain deque, where one is used."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator
from operator import neg
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from failsoft.actors.mailbox import Envelope


class RankedLane:
    """Give the message of the highest ``priority`` first; of the same, in order of arrival.

    A message of lower priority waits for as long as there are higher ones.
    """

    __slots__ = ("_length", "_newest", "_queues", "_ranks")

    def __init__(self, envelopes: Iterable[Envelope] = ()) -> None:
        self._queues: dict[int, deque[Envelope]] = {}
        self._ranks: list[int] = []  # of the queues there are, the highest first
        self._length = 0
        self._newest = 0
        for envelope in envelopes:
            self.append(envelope)

    def append(self, envelope: Envelope) -> None:
        self._newest = _rank_of(envelope)
        self._queue(self._newest).append(envelope)
        self._length += 1

    def appendleft(self, envelope: Envelope) -> None:
        self._queue(_rank_of(envelope)).appendleft(envelope)
        self._length += 1

    def pop(self) -> Envelope:
        """Take back what was appended just now."""
        envelope = self._queues[self._newest].pop()
        self._removed(self._newest)
        return envelope

    def popleft(self) -> Envelope:
        rank = self._ranks[0]
        envelope = self._queues[rank].popleft()
        self._removed(rank)
        return envelope

    def replace(self, envelope: Envelope) -> Envelope:
        """Append, and give what has to go for it: of the lowest priority, the oldest."""
        self.append(envelope)
        rank = self._ranks[-1]
        dropped = self._queues[rank].popleft()
        self._removed(rank)
        return dropped

    def _queue(self, rank: int) -> deque[Envelope]:
        queue = self._queues.get(rank)
        if queue is None:
            queue = self._queues[rank] = deque()
            insort(self._ranks, rank, key=neg)
        return queue

    def _removed(self, rank: int) -> None:
        self._length -= 1
        if not self._queues[rank]:
            del self._queues[rank]
            self._ranks.remove(rank)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Envelope]:
        for rank in self._ranks:
            yield from self._queues[rank]


def _rank_of(envelope: Envelope) -> int:
    priority = getattr(envelope.message, "priority", 0)
    return priority if isinstance(priority, int) else 0  # a field that means something else
