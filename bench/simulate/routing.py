"""Routing: the true dispatcher, with its moves carried out in virtual time; a router in miniature.

What its models are, and who is told how a request ended, is the subclass's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from bench.simulate.ask import Ask
from bench.simulate.timeline import Timeline
from failsoft.messages import InferenceError, TextReply
from failsoft.supervisors.routing.candidate import Candidate
from failsoft.supervisors.routing.degradation import Degradation, LoadLevel
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
from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.route import Attempt, Route


class Routing:
    """Carry out a dispatcher's moves, in the order and on the occasions that a router does.

    told: events by their kind.
    """

    def __init__(
        self,
        timeline: Timeline,
        candidates: Sequence[Candidate],
        policy: RoutePolicy,
        chance: Random,
    ) -> None:
        self.timeline = timeline
        self.dispatcher = Dispatcher(candidates, policy, chance, timeline.now)
        self.told: Counter[str] = Counter()
        self._targets = self.dispatcher.targets
        self._load = LoadLevel(policy.degradation or Degradation())

    # -- what its models are

    def _send(self, attempt: Attempt) -> None:
        raise NotImplementedError

    def _call_off(self, attempt: Attempt) -> None:
        raise NotImplementedError

    def _over(self, ask: Ask, outcome: str, error: Exception | None) -> None:
        """Hear how an ask ended. error: what it was refused with."""
        raise NotImplementedError

    # -- what clients do

    def arrive(self, ask: Ask) -> None:
        """Take in a client's request."""
        now = self.timeline.now
        route = Route(ask.request, now, ask.deadline, is_stream=ask.is_stream, carried=ask)
        self._arrives(route)

    def _arrives(self, route: Route) -> None:
        self._carry_out(self.dispatcher.arrive(route, self._load.level, self.timeline.now))
        if not route.is_over:
            self.timeline.at(route.deadline, self._left, route)

    def _left(self, route: Route) -> None:
        """Have nobody wait for it any more: its deadline has passed, or its client is gone."""
        if not route.is_over:
            self._carry_out(self.dispatcher.left(route, self.timeline.now))

    # -- moves

    def _carry_out(self, moves: list[Move]) -> None:
        for move in moves:
            match move:
                case Send(attempt):
                    self._send(attempt)
                case Answer(route):
                    self._over(route.carried, "ok", None)
                case Refuse(route, error):
                    self._over(route.carried, outcome_of(error), error)
                case GiveUp(route, outcome):
                    self._over(route.carried, outcome, None)
                case CallOff(attempt):
                    self._call_off(attempt)
                    attempt.carried = None
                case Tell(kind):
                    self.told[kind.__name__] += 1
                case Later(route, seconds):
                    self.timeline.after(seconds, self._due, route)
                case HedgeLater(attempt, seconds):
                    self.timeline.after(seconds, self._hedge, attempt)
                case LookLater(target, seconds):
                    self.timeline.after(seconds, self._look_again, target)

    def _due(self, route: Route) -> None:
        self._carry_out(self.dispatcher.due(route, self.timeline.now))

    def _hedge(self, attempt: Attempt) -> None:
        self._carry_out(self.dispatcher.hedge(attempt, self.timeline.now))

    def _look_again(self, target: Any) -> None:
        self._carry_out(self.dispatcher.look_again(target, self.timeline.now))

    # -- what attempts come to

    def _began(self, attempt: Attempt) -> None:
        self._carry_out(self.dispatcher.began(attempt, self.timeline.now))

    def _finished(self, attempt: Attempt, reply: TextReply | None) -> None:
        attempt.carried = None  # which would keep both until the next collection
        self._carry_out(self.dispatcher.answered(attempt, reply, self.timeline.now))

    def _failed(self, attempt: Attempt, error: InferenceError) -> None:
        attempt.carried = None
        self._carry_out(self.dispatcher.failed(attempt, error, self.timeline.now))

    @property
    def in_line(self) -> int:
        """Count the requests that wait in front of its models."""
        return sum(target.line.waiting for target in self._targets.values())


def outcome_of(error: Exception) -> str:
    """Name the error with which a request was refused."""
    return getattr(error, "kind", type(error).__name__)
