"""Tell a hung worker from a slow one. Pure: it is told what happened and when.

A worker that moves is never hung, however slow it is. What counts as movement: while it loads,
a report of progress; with a request in hand, a step, a chunk or the end of one that was begun.
When it is ready, its heartbeats must come besides. They aren't asked for while it loads: one
long call into a driver or a loader may hold the interpreter, and so the thread that beats.

A step on the way to the first thing that a request shows (the reading of a prompt) may take far
longer than one after it (a token), so each has a limit of its own, and learns it alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from failsoft.gpu.handle.learned_limit import LearnedLimit
from failsoft.messages.frames import (
    Began,
    Chunk,
    Done,
    Failed,
    Heartbeat,
    Hello,
    Loading,
    Ready,
    Report,
    Warming,
)

# In seconds: what learned limits lie between. 5 minutes are right for what nothing is known of.
LEAST_HANG = 10.0
LEAST_FIRST_STEP = 60.0
MOST = 300.0
# A long prompt takes a processor some 50 times as long as a short one; tokens differ less.
HANG_FACTOR = 20.0
FIRST_STEP_FACTOR = 100.0
# A larger image has slower steps. The first of them tells so before the others come.
GOES_ON_FACTOR = 3.0
# Steps that show nothing are heard of with a heartbeat, so limits are several of those.
_LEAST_BEATS = 4


class Limits(Protocol):
    """Say how long is too long, in seconds; ``WorkerSpec`` does. None has it learned."""

    @property
    def heartbeat_every(self) -> float: ...
    @property
    def heartbeat_limit(self) -> float: ...
    @property
    def hang_limit(self) -> float | None: ...
    @property
    def first_step_limit(self) -> float | None: ...
    @property
    def load_hang_limit(self) -> float: ...


@dataclass
class Liveness:
    """Keep account of one worker's signs of life, from ``now``, the time of its start."""

    limits: Limits
    now: float
    is_ready: bool = field(default=False, init=False)
    running: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        limits, least = self.limits, _LEAST_BEATS * self.limits.heartbeat_every
        self._steps = LearnedLimit(HANG_FACTOR, max(LEAST_HANG, least), max(MOST, least))
        self._first_steps = LearnedLimit(
            FIRST_STEP_FACTOR, max(LEAST_FIRST_STEP, least), max(MOST, least)
        )
        self.check_every = (
            min(
                limits.heartbeat_limit,
                limits.hang_limit or self._steps.least,
                limits.first_step_limit or self._first_steps.least,
                limits.load_hang_limit,
            )
            / 5
        )
        self._heard = self._moved = self._checked = self.now
        self._is_late = False
        self._steps_made = 0
        # Of those that were begun: the longest step yet of each that has shown nothing, and
        # those that have.
        self._starting: dict[int, float] = {}
        self._going: set[int] = set()

    def __repr__(self) -> str:
        return (
            f"<Liveness {self.running} running, {len(self._starting)} of them starting; "
            f"first step within {self.first_step_limit:g} s, others {self.hang_limit:g} s>"
        )

    @property
    def hang_limit(self) -> float:
        """Give how long a step may take now, once the requests in hand have shown something."""
        if self.limits.hang_limit is not None:
            return self.limits.hang_limit
        return max(self._steps.limit, GOES_ON_FACTOR * self._first_steps.slowest)

    @property
    def first_step_limit(self) -> float:
        """Give how long a step may take now, while a request in hand has shown nothing yet."""
        set_to = self.limits.first_step_limit
        return self._first_steps.limit if set_to is None else set_to

    @property
    def limit(self) -> float:
        """Give how long a step may take now: of those two, the one that holds."""
        # What was sent and not begun yet waits behind others, or is about to begin.
        is_first = self._starting or not self._going
        return self.first_step_limit if is_first else self.hang_limit

    # -- what the worker says

    def heed(self, report: Report, now: float) -> None:
        """Note what ``report`` says of the worker's life."""
        match report:
            case Heartbeat():
                self.beat(now, report.steps, report.shown)
            case Chunk(id):
                self.shown(now, id)
            case Began(id):
                self.began(now, id)
            case Done(id):
                self.shown(now, id)
                self.end(now, id)
            case Failed(id):
                self.end(now, id)
            case Hello() | Loading() | Warming():
                self.move(now)
            case Ready():
                self.ready(now)

    def beat(self, now: float, steps: int, shown: Iterable[int] = ()) -> None:
        """Note a heartbeat. More ``steps`` than before are movement.

        shown: the requests that have shown something, whether anybody was told it or not.
        """
        self._heard = now
        if steps > self._steps_made:
            self._steps_made = steps
            self._step(now)
        for id in shown:
            if id in self._starting:
                self._has_shown(now, id)

    def ready(self, now: float) -> None:
        """Note that the load is done."""
        self.is_ready = True
        self.move(now)

    def began(self, now: float, id: int) -> None:
        """Note that the engine was given a request."""
        self.move(now)
        self._starting[id] = 0.0

    def shown(self, now: float, id: int) -> None:
        """Note that a request has shown something."""
        self._step(now)
        if id in self._starting:
            self._has_shown(now, id)

    def begin(self, now: float) -> None:
        """Note that the worker was given a request."""
        if self.running == 0:
            self._moved = now
        self.running += 1

    def end(self, now: float, id: int) -> None:
        """Note that a request has ended.

        That is movement where the engine had begun it. A thread beside the engine's refuses those
        that are called off before, and would do so if the engine stood still.
        """
        self.running = max(0, self.running - 1)
        self._heard = now
        if id in self._starting or id in self._going:
            self.move(now)
            self._starting.pop(id, None)
            self._going.discard(id)

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
        elif self.running and now - self._moved > (limit := self.limit):
            return f"it has made no step for {limit:g} s with a request in hand"
        return None

    # -- movement

    def move(self, now: float) -> None:
        """Note movement of another kind than steps."""
        self._heard = self._moved = now

    def _step(self, now: float) -> None:
        """Note a step, and learn from how long it took; a first one is learned when it shows."""
        took = now - self._moved
        self.move(now)
        if not self._starting:
            if self.running:
                self._steps.observe(now, took)
            return
        for id, longest in self._starting.items():
            if took > longest:
                self._starting[id] = took

    def _has_shown(self, now: float, id: int) -> None:
        self._first_steps.observe(now, self._starting.pop(id))
        self._going.add(id)
