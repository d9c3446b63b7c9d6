"""A world for a dispatcher alone: it carries the moves out, and checks each of them."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from random import Random
from typing import Any

from failsoft.messages import GenerateText, Request, TextReply, Usage
from failsoft.messages.events import (
    BreakerChanged,
    RequestHedged,
    RequestQuarantined,
    RequestRetried,
    RequestShed,
)
from failsoft.supervisors import Candidate, RoutePolicy
from failsoft.supervisors.routing.circuit import CircuitState
from failsoft.supervisors.routing.degradation import Level
from failsoft.supervisors.routing.dispatcher import Dispatcher
from failsoft.supervisors.routing.moves import (
    Answer,
    CallOff,
    GiveUp,
    HedgeLater,
    Later,
    LookLater,
    Move,
    Refuse,
    Send,
    Tell,
)
from failsoft.supervisors.routing.route import Attempt, Route
from failsoft.supervisors.routing.target import Target

FINE = TextReply("fine", "stop", Usage(3, 4))


class World:
    """Hold all requests, all attempts under way and all timers; see that each move may be.

    live: attempts that were sent and haven't ended. ends: route → how it ended.
    told: events by kind, but for retries that the budget doesn't bear. circuits: the states as
    told of. looks: when each target is looked at.
    """

    def __init__(
        self, candidates: Sequence[Candidate], policy: RoutePolicy, *, seed: int = 1
    ) -> None:
        self.now = 0.0
        self.is_sound = True
        self.policy = policy
        self.dispatcher = Dispatcher(candidates, policy, Random(seed), 0.0)
        self.targets = self.dispatcher.targets
        self.routes: list[Route] = []
        self.live: dict[int, Attempt] = {}
        self.ends: dict[int, Move] = {}
        self.told: Counter[str] = Counter()
        self.circuits = dict.fromkeys(self.targets, "closed")
        self.looks: dict[str, list[float]] = {id: [] for id in self.targets}
        self.sent: list[Attempt] = []
        self.successes = 0
        self._timers: list[tuple[float, int, Callable[[], list[Move]]]] = []
        self._numbers = itertools.count()

    # -- what happens

    def start(self, id: str, *, seconds: float = 0.0) -> None:
        """Have a model begin to load, and be ready after ``seconds``."""
        self.do(self.dispatcher.starting(self.targets[id], self.now))
        self.advance(seconds)
        self.ready(id)

    def ready(self, id: str, is_ready: bool = True) -> None:
        self.do(self.dispatcher.readiness(self.targets[id], is_ready, self.now))

    def arrive(
        self,
        request: Request[Any] | None = None,
        *,
        timeout: float = math.inf,
        is_stream: bool = False,
        level: Level = Level.FULL,
    ) -> Route:
        asked = GenerateText("hello") if request is None else request
        route = Route(asked, self.now, self.now + timeout, is_stream=is_stream)
        self.routes.append(route)
        if timeout < math.inf:
            self._at(route.deadline, lambda: self._expire(route))
        self.do(self.dispatcher.arrive(route, level, self.now))
        return route

    def leave(self, route: Route) -> None:
        self.do(self.dispatcher.left(route, self.now))

    def answer(self, attempt: Attempt, value: Any = FINE) -> None:
        self._end(attempt)
        self.successes += 1
        self.do(self.dispatcher.answered(attempt, value, self.now))

    def fail(self, attempt: Attempt, error: Exception) -> None:
        self._end(attempt)
        self.do(self.dispatcher.failed(attempt, error, self.now))

    def begin(self, attempt: Attempt) -> None:
        self.do(self.dispatcher.began(attempt, self.now))

    def ended(self, id: str, starts_in: float | None, is_failure: bool = True) -> None:
        starts_at = None if starts_in is None else self.now + starts_in
        self.do(self.dispatcher.ended(self.targets[id], starts_at, is_failure, self.now))

    def at(self, id: str) -> list[Attempt]:
        """Give the attempts that a model has, in the order in which they were sent."""
        return [attempt for attempt in self.live.values() if attempt.target.id == id]

    def advance(self, seconds: float) -> None:
        """Let time go on; what is due meanwhile happens when it is due."""
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, event = heappop(self._timers)
            self.now = max(self.now, when)
            self.do(event())
        self.now = end

    def _expire(self, route: Route) -> list[Move]:
        return self.dispatcher.left(route, self.now)

    def _at(self, when: float, event: Callable[[], list[Move]]) -> None:
        heappush(self._timers, (when, next(self._numbers), event))

    def _after(
        self, seconds: float, event: Callable[[Any, float], list[Move]], subject: object
    ) -> None:
        self._at(self.now + seconds, lambda: event(subject, self.now))

    def _end(self, attempt: Attempt) -> None:
        assert self.live.pop(id(attempt), None) is attempt, "it had ended, or was never sent"

    # -- the moves

    def do(self, moves: list[Move]) -> None:
        """Carry the moves out, check each, and then how all stands."""
        self.is_sound = False
        for place, move in enumerate(moves):
            match move:
                case Send(attempt):
                    self._check_send(attempt, moves[place + 1 :])
                    self.live[id(attempt)] = attempt
                    self.sent.append(attempt)
                    if attempt.route.is_canary:
                        self._call_off_at_deadline(attempt.route)
                case Answer(route) | Refuse(route) | GiveUp(route):
                    assert id(route) not in self.ends, f"{route} ended twice"
                    self.ends[id(route)] = move
                    assert move.at == self.now
                case CallOff(attempt):
                    self._end(attempt)
                case Tell(kind, fields):
                    self.told[kind.__name__] += not fields.get("is_owed", False)
                    if kind is BreakerChanged:
                        assert self.circuits[fields["model"]] == fields["before"]
                        self.circuits[fields["model"]] = fields["after"]
                case Later(route, seconds):
                    self._after(seconds, self.dispatcher.due, route)
                case HedgeLater(attempt, seconds):
                    self._after(seconds, self.dispatcher.hedge, attempt)
                case LookLater(target, seconds):
                    self._look_at(target, self.now + seconds)
        self.check()
        self.is_sound = True

    def _call_off_at_deadline(self, route: Route) -> None:
        self._at(route.deadline, lambda: self._expire(route))

    def _look_at(self, target: Target, when: float) -> None:
        looks = self.looks[target.id]
        looks.append(when)

        def look() -> list[Move]:
            looks.remove(when)
            return self.dispatcher.look_again(target, self.now)

        self._at(when, look)

    def _check_send(self, attempt: Attempt, later: list[Move]) -> None:
        route, target = attempt.route, attempt.target
        assert id(route) not in self.ends, "sent after its end"
        assert target.is_ready, "sent to a model that isn't ready"
        assert self.now < route.deadline, "sent after its deadline"
        left = route.deadline - self.now
        assert route.is_canary or left > target.spec.least_time, "too little time for this model"
        assert route.is_canary or target.spec.suits(route.request, route.is_stream)
        assert id(attempt) not in self.live
        if self.circuits[target.id] == "open":  # then this very call makes it half-open
            following = (
                move.fields["after"]
                for move in later
                if isinstance(move, Tell) and move.fields.get("model") == target.id
                if move.kind is BreakerChanged
            )
            assert next(following, None) == "half_open", "sent through an open circuit"

    # -- how all stands

    def check(self) -> None:
        self._check_routes()
        for target in self.targets.values():
            self._check_target(target)
        self._check_budget()

    def _check_routes(self) -> None:
        open_routes = [route for route in self.routes if id(route) not in self.ends]
        assert self.dispatcher.in_hand == len(open_routes)
        for route in self.routes:
            mine = [attempt for attempt in self.live.values() if attempt.route is route]
            assert route.is_over == (id(route) in self.ends)
            assert mine == route.attempts, "each attempt is ended, called off, or under way"
            assert not (route.is_over and mine), "it is over, and a model works on it"
            assert route.is_over or mine or route.line or self._is_remembered(route), (
                "nothing will ever become of it"
            )
            assert not (mine and route.line), "it is sent and waits"
            models = len(self.targets)
            assert route.sends <= models * (self.policy.retries + 2)

    def _is_remembered(self, route: Route) -> bool:
        """Tell whether it pauses, or is held back until another like it has ended."""
        if route.stage.value == "pausing":
            return True
        return route in self.dispatcher._held_back and bool(self.live or any(self.looks.values()))

    def _check_target(self, target: Target) -> None:
        line = target.line
        mine = [attempt for attempt in self.live.values() if attempt.target is target]
        assert line.in_flight == len(mine) == len(target.attempts)
        waiting = [route for route in self.routes if route.line is target and not route.is_over]
        assert line.waiting == len(waiting)
        assert line.waiting <= (target.spec.admission or self.policy.admission).queue_limit
        if target.is_ready:
            assert not line.waiting or line.in_flight >= line.limit, "it waits, and there is room"
        circuit, breaker = target.circuit, target.breaker
        if circuit is None or breaker is None:
            return
        assert circuit.generation == target.known_generation, "a change that nobody was told of"
        state = circuit.statistics().state
        assert self.circuits[target.id] == state.value
        if state is CircuitState.OPEN and self.now < (circuit.opens_until or math.inf):
            assert not line.waiting, "it waits for a model that gets nothing"
        if state is CircuitState.HALF_OPEN:
            probes = [each for each in mine if each.permit == circuit.generation]
            assert len(probes) <= breaker.probes
        is_held = circuit.statistics().forced is not None
        if state is not CircuitState.CLOSED and target.spec.canary is not None and not is_held:
            is_probed = any(attempt.route.is_canary for attempt in mine)
            is_cared_for = is_probed or self.looks[target.id] or not target.is_ready
            assert is_cared_for, "nobody will find out that it is well again"

    def _check_budget(self) -> None:
        budget = self.policy.budget
        if budget is None:
            return
        paid = self.told[RequestRetried.__name__] + self.told[RequestHedged.__name__]
        paid += sum(route.was_halved for route in self.routes)
        earned = budget.ratio * self.successes + budget.per_second * self.now
        assert paid <= budget.most + earned + 1e-6

    # -- the end

    def finish(self) -> None:
        """Shut down, let what is in work end, and see that nothing is left."""
        self.do(self.dispatcher.shut_down("text", "shutdown", self.now))
        while self.live:
            self.answer(next(iter(self.live.values())))
        self.advance(10_000)
        for route in self.routes:
            if not route.is_over:
                assert route.stage.value == "pausing"
                self.leave(route)
        assert len(self.ends) == len(self.routes)
        assert self.dispatcher.in_hand == 0
        assert all(not target.line.waiting for target in self.targets.values())
        left = [attempt for target in self.targets.values() for attempt in target.attempts]
        assert all(attempt.route.is_canary for attempt in left)


__all__ = ["FINE", "RequestQuarantined", "RequestShed", "World"]
