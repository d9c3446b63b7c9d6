"""Admission under ten times the load, in virtual time: a model behind a line, and callers."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from random import Random

import msgspec
import pytest

from failsoft.supervisors.routing.admission import ADMITTED, Admission, Line, Queued

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

    def __init__(
        self, line: Line[Caller], random: Random, seconds: tuple[float, float] = (2.0, 8.0)
    ) -> None:
        self.line = line
        self.seconds = seconds  # that a caller has, from and to
        self.random = random
        self.now = 0.0
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.added = 0
        self.sent: deque[Caller] = deque()
        self.busy = 0
        self.in_time = self.late = self.refused = self.gave_up = self.most_waiting = 0

    def at(self, time: float, event: Callable[[], None]) -> None:
        self.added += 1
        heapq.heappush(self.events, (time, self.added, event))

    def run(self, rate: float) -> None:
        """Have callers come at this rate, in callers a second, for ``SECONDS``."""
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
        caller = Caller(0, tenant, self.now + self.random.uniform(*self.seconds), work)
        entry = self.line.enter(caller, self.now)
        if entry is ADMITTED:
            self.send(caller)
        elif isinstance(entry, Queued):
            self.at(caller.deadline, lambda: self.give_up(caller))
        else:
            self.refused += 1

    def give_up(self, caller: Caller) -> None:
        self.gave_up += self.line.leave(caller)

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
            self.in_time += 1
        else:
            self.late += 1
        self.begin()
        while (following := self.line.next(self.now)) is not None:
            self.send(following)


# With 11 and 28, a limit that looks anew without a window at its floor falls to 1.
@pytest.mark.parametrize("seed", [0, 1, 2, 11, 28])
def test_ten_times_the_load_leaves_the_goodput(seed: int) -> None:
    """AD-05 For a minute, with deadlines of 2 to 8 s; and the queue is bounded."""
    line: Line[Caller] = Line(Admission())
    model = Model(line, Random(seed))
    model.run(rate=10 * SLOTS)
    assert model.in_time >= 0.8 * SLOTS * SECONDS  # an answer takes a slot for 1 s, in the mean
    assert model.most_waiting <= Admission().queue_limit
    assert (line.in_flight, line.waiting) == (0, 0)


def test_half_the_load_is_answered() -> None:
    """AD-05 Where there is no need to, hardly anybody is refused, or begun too late."""
    line: Line[Caller] = Line(Admission())
    model = Model(line, Random(7))
    model.run(rate=SLOTS / 2)
    assert model.refused + model.gave_up + model.late <= 0.03 * model.in_time


def test_without_a_margin_the_model_works_for_nobody() -> None:
    """AD-05 Those at the end of a long queue have no time left when they begin."""
    in_time = dict.fromkeys((0.0, Admission().margin), 0)
    for margin in in_time:
        for seed in range(4):
            model = Model(Line(Admission(margin=margin)), Random(seed), seconds=(4.0, 4.0))
            model.run(rate=10 * SLOTS)
            in_time[margin] += model.in_time
    assert in_time[0.0] < 0.9 * in_time[Admission().margin]
