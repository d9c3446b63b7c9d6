"""Tell a hung worker from a slow one. Pure: it is told what happened and when.

A worker that moves is never hung, however slow it is. What counts as movement: while it loads,
a report of progress; with a request in hand, a step, a chunk or an end. When it is ready, its
heartbeats must come besides. They aren't asked for while it loads: one long call into a driver
or a loader may hold the interpreter, and so the thread that beats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Limits(Protocol):
    """Say how long is too long, in seconds; ``WorkerSpec`` does."""

    @property
    def heartbeat_limit(self) -> float: ...
    @property
    def hang_limit(self) -> float: ...
    @property
    def load_hang_limit(self) -> float: ...


@dataclass
class Liveness:
    """Keep account of one worker's signs of life, from ``now``, the time of its start."""

    limits: Limits
    now: float
    is_ready: bool = field(default=False, init=False)
    running: int = field(default=0, init=False)
    _steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._heard = self._moved = self._checked = self.now
        self._is_late = False

    @property
    def check_every(self) -> float:
        """Give how often ``check`` wants to be called: a fifth of the shortest limit."""
        limits = self.limits
        return min(limits.heartbeat_limit, limits.hang_limit, limits.load_hang_limit) / 5

    def heard(self, now: float) -> None:
        """Note a sign of life of any kind."""
        self._heard = now

    def moved(self, now: float) -> None:
        """Note movement."""
        self._heard = self._moved = now

    def beat(self, now: float, steps: int) -> None:
        """Note a heartbeat; more ``steps`` than before are movement."""
        self._heard = now
        if steps > self._steps:
            self._steps = steps
            self._moved = now

    def ready(self, now: float) -> None:
        """Note that the load is done."""
        self.is_ready = True
        self.moved(now)

    def begin(self, now: float) -> None:
        """Note that the worker was given a request."""
        if self.running == 0:
            self._moved = now
        self.running += 1

    def end(self, now: float) -> None:
        """Note that a request has ended."""
        self.running = max(0, self.running - 1)
        self.moved(now)

    def check(self, now: float) -> str | None:
        """Give in words why the worker counts as hung, or None.

        A check that comes far too late means that this process stood still, or its machine did:
        what the worker sent meanwhile may be unread, and it is given all its time again. Where
        every check is late, only the time that was lost is not counted.
        """
        lost = now - self._checked - self.check_every
        was_late, self._is_late = self._is_late, lost > self.check_every
        self._checked = now
        if self._is_late:
            self._heard = min(now, self._heard + lost) if was_late else now
            self._moved = min(now, self._moved + lost) if was_late else now
        if not self.is_ready:
            if now - self._moved > self.limits.load_hang_limit:
                return f"its load has not moved for {self.limits.load_hang_limit:g} s"
        elif now - self._heard > self.limits.heartbeat_limit:
            return f"it has given no sign of life for {self.limits.heartbeat_limit:g} s"
        elif self.running and now - self._moved > self.limits.hang_limit:
            return f"it has made no step for {self.limits.hang_limit:g} s with a request in hand"
        return None
