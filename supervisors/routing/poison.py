"""Poison: requests that take workers down, and for how long the like of them are refused."""

from __future__ import annotations

import msgspec


class Poison(msgspec.Struct, frozen=True):
    """Say what makes a request poisonous.

    workers_lost: workers that were lost while a request was in work, until it is held to be the
        cause.
    seconds: for how long the like of it are refused; a suspicion lives as long.
    most: requests suspected or refused at once; the oldest is forgotten for a newer one.
    """

    workers_lost: int = 2
    seconds: float = 600.0
    most: int = 1000

    def __post_init__(self) -> None:
        if self.workers_lost < 1 or not self.seconds > 0 or self.most < 1:
            raise ValueError("poison needs workers_lost >= 1, seconds > 0 and most >= 1")


class QuarantineEntry(msgspec.Struct, frozen=True):
    """Tell of a request that is refused, ``since`` and ``until`` when (seconds, on the clock)."""

    fingerprint: str
    request_type: str
    since: float
    until: float
    workers_lost: int


class QuarantineStatistics(msgspec.Struct, frozen=True):
    """Count who is suspected and who is held now, and how many were quarantined or forgotten.

    forgotten: those that went, before their time, for newer ones.
    """

    suspected: int
    held: int
    quarantined: int
    forgotten: int


class Quarantine:
    """Remember which requests, by their fingerprints, were in work when workers were lost.

    Those blamed once are suspected: they are let through. Those blamed ``workers_lost`` times
    are held. Both end by themselves.
    """

    __slots__ = ("_entries", "_forgotten", "_poison", "_quarantined")

    def __init__(self, poison: Poison) -> None:
        self._poison = poison
        # In order of the last blame, which is the order in which they end.
        self._entries: dict[str, QuarantineEntry] = {}
        self._quarantined = self._forgotten = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is suspected or held, so that no fingerprint need be taken."""
        return not self._entries

    def blame(self, fingerprint: str, now: float, request_type: str) -> bool:
        """Take note that a worker was lost with the request in work; tell whether it is held now.

        A suspicion, or a quarantine, begins its time anew.
        """
        self._expire(now)
        before = self._entries.pop(fingerprint, None)
        lost = 1 if before is None else before.workers_lost + 1
        since = now if before is None or not self._holds(before) else before.since
        entry = QuarantineEntry(fingerprint, request_type, since, now + self._poison.seconds, lost)
        if len(self._entries) >= self._poison.most:
            del self._entries[next(iter(self._entries))]
            self._forgotten += 1
        self._entries[fingerprint] = entry
        self._quarantined += lost == self._poison.workers_lost
        return self._holds(entry)

    def absolve(self, fingerprint: str) -> None:
        """Take note that the request was answered: its suspicion ends, a quarantine doesn't."""
        entry = self._entries.get(fingerprint)
        if entry is not None and not self._holds(entry):
            del self._entries[fingerprint]

    def held(self, fingerprint: str, now: float) -> float | None:
        """Give the seconds for which the request is yet refused; None where it isn't."""
        self._expire(now)
        entry = self._entries.get(fingerprint)
        return None if entry is None or not self._holds(entry) else entry.until - now

    def entries(self, now: float) -> tuple[QuarantineEntry, ...]:
        """Give those that are refused now, the ones that end first at the front."""
        self._expire(now)
        return tuple(entry for entry in self._entries.values() if self._holds(entry))

    def clear(self, fingerprint: str | None = None) -> int:
        """Let a request through again, or all; give how many were suspected or held."""
        if fingerprint is not None:
            return int(self._entries.pop(fingerprint, None) is not None)
        cleared = len(self._entries)
        self._entries.clear()
        return cleared

    def statistics(self) -> QuarantineStatistics:
        held = sum(map(self._holds, self._entries.values()))
        suspected = len(self._entries) - held
        return QuarantineStatistics(suspected, held, self._quarantined, self._forgotten)

    def _holds(self, entry: QuarantineEntry) -> bool:
        return entry.workers_lost >= self._poison.workers_lost

    def _expire(self, now: float) -> None:
        while self._entries:
            first = next(iter(self._entries.values()))
            if now < first.until:
                return
            del self._entries[first.fingerprint]

    def __repr__(self) -> str:
        now = self.statistics()
        return f"<Quarantine {now.held} held, {now.suspected} suspected>"
