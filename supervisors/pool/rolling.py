"""Rolling: replicas are replaced one at a time, each by one that has shown itself to be well.

The state machine of a rollout: what happens goes in, moves come out. No I/O and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import msgspec


class Bring(msgspec.Struct, frozen=True):
    """Start a replica of this generation; tell ``came`` or ``failed``."""

    generation: int


class Retire(msgspec.Struct, frozen=True):
    """Send the replica no more requests, and end it once it has none; tell ``went``."""

    id: str


class Ended(msgspec.Struct, frozen=True):
    """Tell that the rollout is over. why: what the new replicas failed by; empty where all came.

    is_mixed: on the way back, too, a replica failed: there are some of both generations.
    """

    why: str = ""
    is_mixed: bool = False


Step = Bring | Retire | Ended


class Rolling:
    """Replace replicas one after the other; where one that is new fails, go back.

    old, new: generations. Between two steps there is never less than there was at the start: a
    new replica has come before an old one goes.
    """

    __slots__ = ("_from", "_leaving", "_to", "_went", "_why")

    def __init__(self, replicas: Iterable[str], old: int, new: int) -> None:
        self._from = deque(replicas)
        self._leaving: str | None = None
        self._to: tuple[int, int] = (new, old)
        self._went: list[str] = []
        self._why = ""

    @property
    def generation(self) -> int:
        """Give the generation that is to be."""
        return self._to[0]

    @property
    def is_going_back(self) -> bool:
        return bool(self._why)

    def begin(self) -> Step:
        """Give the first step."""
        return self._next()

    def came(self, id: str) -> Step:
        """Take note that the replica that was to come is well."""
        self._went.append(id)
        self._leaving = self._from.popleft()
        return Retire(self._leaving)

    def went(self, id: str) -> Step | None:
        """Take note that a replica has ended; None where that isn't the one that was to go."""
        if id != self._leaving:
            # Of those to be replaced, one has gone by itself; its successor may come all the same.
            return None
        self._leaving = None
        return self._next()

    def failed(self, why: str) -> Step:
        """Take note that the replica that was to come isn't well. It has been ended."""
        if self.is_going_back:
            return Ended(self._why, is_mixed=True)
        self._why = why
        self._from = deque(self._went)
        self._went = []
        self._to = self._to[1], self._to[0]
        return self._next()

    def _next(self) -> Step:
        return Bring(self._to[0]) if self._from else Ended(self._why)

    def __repr__(self) -> str:
        back = ", going back" if self.is_going_back else ""
        return f"<Rolling to generation {self._to[0]}, {len(self._from)} to go{back}>"
