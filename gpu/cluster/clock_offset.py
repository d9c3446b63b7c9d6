"""How far another machine's clock is from this one's. Pure: it is told when what was heard."""

from __future__ import annotations

import math
from collections import deque

# Until so many answers are there, one that was quick may not be among them.
_ENOUGH = 8
# Clocks drift by some 20 µs a second, so what was measured a minute ago is off by a millisecond.
_KEPT = 64
_MAX_DRIFT = 0.01


class ClockOffset:
    """Know what is to be added to this machine's monotonic clock to get the other's.

    Each answer tells it within half of the time that it was under way (as in NTP, RFC 5905), so of
    the last answers the quickest is gone by. One that can't be true beside that one tells that a
    machine was suspended meanwhile, and its clock stood still: what was known before is forgotten.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def __repr__(self) -> str:
        return f"<ClockOffset {self.seconds:.6f} s, to {self.uncertainty:.6f} s>"

    @property
    def is_known(self) -> bool:
        return len(self._samples) >= _ENOUGH

    @property
    def least(self) -> float:
        """Give the least that the offset can be: what is told by it is never told too late."""
        return self.seconds - self.uncertainty if self._samples else 0.0

    @property
    def seconds(self) -> float:
        """Give the offset; 0 while nothing was heard."""
        return min(self._samples)[1] if self._samples else 0.0

    @property
    def uncertainty(self) -> float:
        """Give how far off it may be, in seconds."""
        return min(self._samples)[0] / 2 if self._samples else math.inf

    def observe(self, sent: float, clock: float, heard: float) -> None:
        """Note that what was sent at ``sent`` was answered at the other's ``clock``."""
        under_way, offset = max(0.0, heard - sent), clock - (sent + heard) / 2
        if abs(offset - self.seconds) > under_way / 2 + self.uncertainty + _MAX_DRIFT:
            self._samples.clear()
        self._samples.append((under_way, offset))
