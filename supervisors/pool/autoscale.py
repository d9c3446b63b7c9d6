"""Autoscaling: how many replicas a pool should have, by how long requests wait. Pure."""

from __future__ import annotations

import math

import msgspec


class Autoscale(msgspec.Struct, frozen=True, kw_only=True):
    """Say between which bounds a pool's size follows its load. Times are in seconds.

    least, most: replicas.
    longest_wait: half of the requests of the last ``window`` waited longer than this before they
        came to a replica: one more is started.
    window: what is looked back on; a surge shorter than half of it starts nothing.
    busy: a replica is stopped where those that are left would be busy for less than this share of
        the last ``idle`` seconds, and nobody waited.
    idle: see there.
    cooldown: between one change and the next, counted from when a new replica is ready: before
        that nobody can tell what it brings.
    denied: after a replica that could not be started, for want of memory say, until the next try.
    """

    least: int = 1
    most: int = 4
    longest_wait: float = 0.5
    window: float = 10.0
    busy: float = 0.6
    idle: float = 120.0
    cooldown: float = 30.0
    denied: float = 300.0

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise ValueError("autoscaling needs 1 <= least <= most")
        times = (self.longest_wait, self.window, self.idle, self.cooldown, self.denied)
        if not all(0 < seconds < math.inf for seconds in times) or not 0 < self.busy < 1:
            raise ValueError("autoscaling needs times over 0 s, finite, and 0 < busy < 1")


class Scaler:
    """Watch a pool, and say when its size should change: by one at a time.

    ``now`` is in seconds of one clock that never goes back.
    """

    __slots__ = (
        "_asked",
        "_busy_until",
        "_config",
        "_last_look",
        "_not_before",
        "_too_long",
        "_waited_at",
        "_waits",
    )

    def __init__(self, config: Autoscale, now: float) -> None:
        self._config = config
        # By look: when, how many requests had come since the one before, and waited too long.
        self._waits: list[tuple[float, int, int]] = []
        self._asked = self._too_long = 0
        self._waited_at = now
        self._not_before = now
        self._last_look = now
        # By look: from when to when, and for how many seconds replicas were busy in it, summed.
        self._busy_until: list[tuple[float, float, float]] = []

    def waited(self, seconds: float, now: float) -> None:
        """Take note of how long a request waited."""
        self._asked += 1
        if seconds > self._config.longest_wait:
            self._too_long += 1
            self._waited_at = now

    def changed(self, now: float) -> None:
        """Take note that the pool has another size now, and all of it works."""
        self._not_before = now + self._config.cooldown
        self._busy_until.clear()

    def denied(self, now: float) -> None:
        """Take note that a replica could not be started."""
        self._not_before = now + self._config.denied

    def look(self, replicas: int, busy: int, now: float) -> int:
        """Give by how much the size should change: 1, 0 or -1.

        replicas: all that there are, ready. busy: how many of them have something in hand. To be
        called every second or so.
        """
        self._waits.append((now, self._asked, self._too_long))
        self._asked = self._too_long = 0
        self._note_busy(busy, now)
        self._forget(now)
        if replicas < self._config.least:
            return 1 if now >= self._not_before else 0
        if now < self._not_before:
            return 0
        if replicas < self._config.most and self._usually_waits:
            return 1
        return -1 if self._could_do_with_less(replicas, now) else 0

    def _note_busy(self, busy: int, now: float) -> None:
        self._busy_until.append((self._last_look, now, busy * (now - self._last_look)))
        self._last_look = now

    def _forget(self, now: float) -> None:
        since = now - self._config.window
        self._waits = [each for each in self._waits if each[0] >= since]
        since = now - self._config.idle
        self._busy_until = [each for each in self._busy_until if each[1] >= since]

    @property
    def _usually_waits(self) -> bool:
        """Tell whether of the requests of the window more waited too long than didn't."""
        asked = sum(each[1] for each in self._waits)
        return 2 * sum(each[2] for each in self._waits) > asked

    def _could_do_with_less(self, replicas: int, now: float) -> bool:
        idle = self._config.idle
        if replicas <= self._config.least or now - self._waited_at < idle:
            return False
        if not self._busy_until or now - self._busy_until[0][0] < idle:
            return False
        spent = sum(busy for _, _, busy in self._busy_until)
        watched = now - self._busy_until[0][0]
        return spent / watched <= self._config.busy * (replicas - 1)

    def __repr__(self) -> str:
        bounds = f"{self._config.least}..{self._config.most}"
        return f"<Scaler {bounds}{', too few' if self._usually_waits else ''}>"
