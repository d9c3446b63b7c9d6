"""Flight rings: the last events of each actor, so many of each kind."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable
from operator import attrgetter, itemgetter
from typing import Any, Final

import msgspec

from failsoft.messages.events import Event

KEPT: Final = 32
MOST_PATHS: Final = 200
_MOST_KINDS: Final = 64
# Events that tell of a state or an outcome are told apart by it: a model that is ready and busy
# by turns mustn't push out how it came to be lost.
_PARTS: Final = ("before", "after", "outcome", "status", "error_type")


class FlightRingsStatistics(msgspec.Struct, frozen=True):
    """Count events. forgotten: those of paths that had to make room."""

    paths: int
    seen: int
    kept: int
    forgotten: int


class _Ring:
    __slots__ = ("events", "seen")

    def __init__(self, kept: int) -> None:
        # With their numbers, for the order of all.
        self.events: deque[tuple[int, Event]] = deque(maxlen=kept)
        self.seen = 0


class FlightRings:
    """Keep the last ``kept`` events of each kind of each path; of ``most_paths`` paths.

    What is frequent so pushes out only its like, and what is rare is still there. Where there are
    more paths, the one that was quiet for longest makes room. Made once, outside of the actor that
    adds to it, so that it outlives that.
    """

    __slots__ = ("_began", "_forgotten", "_kept", "_most_paths", "_part_of", "_paths", "_seen")

    def __init__(self, *, kept: int = KEPT, most_paths: int = MOST_PATHS) -> None:
        if kept < 1 or most_paths < 1:
            raise ValueError("kept and most_paths must be at least 1")
        self._kept = kept
        self._most_paths = most_paths
        self._paths: OrderedDict[str, dict[Any, _Ring]] = OrderedDict()
        self._part_of: dict[type[Event], Callable[[Event], Any] | None] = {}
        self._forgotten: Counter[str] = Counter()
        self._seen = 0
        self._began: float | None = None

    def begin(self, now: float) -> None:
        """Say that events are heard from now on; the first call counts."""
        if self._began is None:
            self._began = now

    @property
    def began(self) -> float:
        """Give when that was; 0 before."""
        return self._began or 0.0

    def add(self, event: Event) -> None:
        """Take an event in."""
        self._seen += 1
        kind: Any = event.__class__
        try:
            part = self._part_of[kind]
        except KeyError:
            part = self._part_of[kind] = _part_of(kind)
        if part is not None:
            kind = (kind, part(event))
        rings = self._paths.get(event.path)
        if rings is None:
            rings = self._begin(event.path)
        else:
            self._paths.move_to_end(event.path)
        ring = rings.get(kind)
        if ring is None:
            ring = self._ring(rings, kind)
        ring.seen += 1
        ring.events.append((self._seen, event))

    def _begin(self, path: str) -> dict[Any, _Ring]:
        if len(self._paths) >= self._most_paths:
            _, quiet = self._paths.popitem(last=False)
            for ring in quiet.values():
                self._forgotten[type(ring.events[-1][1]).__name__] += ring.seen
        rings = self._paths[path] = {}
        return rings

    def _ring(self, rings: dict[Any, _Ring], kind: Any) -> _Ring:
        if len(rings) >= _MOST_KINDS:
            kind = None  # somebody's outcomes are without bound
        if kind not in rings:
            rings[kind] = _Ring(self._kept)
        return rings[kind]

    def entries(self) -> list[tuple[int, Event]]:
        """Give what is kept, each with its number, in no order: that takes longer than this."""
        rings = [ring for rings in self._paths.values() for ring in rings.values()]
        return [entry for ring in rings for entry in ring.events]

    def dropped(self) -> dict[str, int]:
        """Count what isn't kept any more, by type, the most first."""
        dropped = self._forgotten.copy()
        for rings in self._paths.values():
            for ring in rings.values():
                dropped[type(ring.events[-1][1]).__name__] += ring.seen - len(ring.events)
        return {kind: count for kind, count in dropped.most_common() if count}

    def statistics(self) -> FlightRingsStatistics:
        """Count what it holds."""
        rings = [ring for rings in self._paths.values() for ring in rings.values()]
        kept = sum(len(ring.events) for ring in rings)
        forgotten = self._forgotten.total()
        return FlightRingsStatistics(len(self._paths), self._seen, kept, forgotten)

    def __repr__(self) -> str:
        return f"<FlightRings {self._seen} events seen, of {len(self._paths)} paths>"


def _part_of(kind: type[Event]) -> Callable[[Event], Any] | None:
    parts = [name for name in _PARTS if name in kind.__struct_fields__]
    return attrgetter(*parts) if parts else None


def in_order(entries: Iterable[tuple[int, Event]]) -> list[Event]:
    """Give the events in the order in which they happened."""
    return [event for _, event in sorted(entries, key=itemgetter(0))]
