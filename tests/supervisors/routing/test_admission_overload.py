"""Admission under ten times the load, in virtual time: a model behind a line, and callers."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from random import Random

import msgspec

from failsoft.supervisors.routing.admission import ADMITTED, Line, Queued

SLOTS = 8
SECONDS = 60.0


class Caller(msgspec.Struct, eq=False):
    priority: int
    tenant: str
    deadline: float
    work: float
    sent_at: float = 0.0


class Model:
    """Work on ``SLOTS`` callers at once, in the order in which they were sent; time jumps."""

    def __init__(self, line: Line[Caller], random: Random, seconds_left: Callable[[], float]):
        self.line = line
        self.random = random
        self.seconds_left = seconds_left
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.sent: deque[Caller] = deque()
        self.busy = 0
        self.in_time: list[Caller] = []
        self.late = self.refused = self.most_waiting = 0

    def at(self, time: float, event: Callable[[], None]) -> None:
        heapq.heappush(self.events, (time, len(self.events) + self.random.getrandbits(40), event))

    def run(self, rate: float) -> None:
        self.rate = rate
        self.at(0.0, self.arrive)
        while self.events:
            self.now, _, event = heapq.heappop(self.events)
            event()
            self.most_waiting = max(self.most_waiting, self.line.waiting)

    def arrive(self) -> None:
        if self.now > SECONDS:
            return
        self.at(self.now + self.random.expovariate(self.rate), self.arrive)
        work = self.random.lognormvariate(-0.125, 0.5)  # mean 1 s
        tenant = self.random.choice("abc")
        caller = Caller(0, tenant, self.now + self.seconds_left(), work)
        entry = self.line.enter(caller, self.now)
        if entry is ADMITTED:
            self.send(caller)
        elif isinstance(entry, Queued):
            self.at(caller.deadline, lambda: self.give_up(caller))
        else:
            self.refused += 1

    def give_up(self, caller: Caller) -> None:
        self.line.leave(caller)

    def send(self, caller: Caller) -> None:
        caller.sent_at = self.now
        self.sent.append(caller)
        self.begin()

    def begin(self) -> None:
        while self.sent and self.busy < SLOTS:
            caller = self.sent.popleft()
            self.busy += 1
            # At its deadline, work under way is stopped.
            ends_at = min(self.now + caller.work, max(self.now, caller.deadline))
            self.at(ends_at, lambda caller=caller: self.end(caller))  # type: ignore[misc]

    def end(self, caller: Caller) -> None:
        self.busy -= 1
        is_late = self.now >= caller.deadline
        self.line.release(self.now, self.now - caller.sent_at, None if is_late else 1.0)
        if not is_late:
            self.in_time.append(caller)
        else:
            self.late += 1
        self.begin()
        while (following := self.line.next(self.now)) is not None:
            self.send(following)
