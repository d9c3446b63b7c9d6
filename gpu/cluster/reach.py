"""Whether a keeper is in reach, as its signs of life tell. Pure: it is told what came and when."""

from __future__ import annotations

_BEATS = 10


class Reach:
    """Know for how long nothing has come from a keeper, from ``now``, when it was reached.

    every: the time between two checks, with each of which a sign of life is asked for; a tenth of
    ``silence_limit``. In seconds.
    """

    def __init__(self, silence_limit: float, now: float) -> None:
        self.every = silence_limit / _BEATS
        self._limit = silence_limit
        self._heard = self._checked = now
        self._received = 0

    def __repr__(self) -> str:
        return f"<Reach {self._checked - self._heard:.1f} s of {self._limit:g} s silent>"

    def heard(self, now: float) -> None:
        """Note a sign of life."""
        self._heard = now

    def check(self, now: float, received: int = 0) -> str | None:
        """Give in words why it is out of reach, or None.

        received: how many bytes have come from it. More than before are a sign of life, too: on a
        slow network the one that was asked for is behind what its worker prints.
        A check that comes far too late means that this process stood still: what has come
        meanwhile may be unread, and the keeper has all its time again.
        """
        if now - self._checked > 2 * self.every or received > self._received:
            self._heard = now
        self._checked, self._received = now, received
        silent = now - self._heard
        if silent > self._limit:
            return f"nothing has come from its machine for {silent:.0f} s"
        return None
