"""A routed family: the true dispatcher in front of modelled models; a router in miniature."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from bench.simulate.ask import Ask
from bench.simulate.family import Family, Supervision, World
from bench.simulate.model import Job, Model
from bench.simulate.variants import Variant
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
from failsoft.supervisors.routing.route import Attempt, Route


class Routed(Family):
    """Carry out a dispatcher's moves, in the order and on the occasions that a router does.

    told: events by their kind.
    """

    def __init__(
        self,
        world: World,
        candidates: tuple[Candidate, ...],
        variant: Variant,
        chance: Random,
        loads: Random,
    ) -> None:
        supervision = Supervision(backoff=variant.restarts)
        super().__init__(world, candidates, supervision, chance, loads)
        assert variant.policy is not None
        self.dispatcher = Dispatcher(candidates, variant.policy, chance, self.timeline.now)
        self._targets = self.dispatcher.targets
        self._load = LoadLevel(variant.policy.degradation or Degradation())
        self._senses_load = variant.senses_load
        self.told: Counter[str] = Counter()

    def arrive(self, ask: Ask) -> None:
        now = self.timeline.now
        route = Route(ask.request, now, ask.deadline, is_stream=ask.is_stream, carried=ask)
        self._carry_out(self.dispatcher.arrive(route, self._load.level, now))
        if not route.is_over:
            self.timeline.at(ask.deadline, self._late, route)

    def _late(self, route: Route) -> None:
        if not route.is_over:
            self._carry_out(self.dispatcher.left(route, self.timeline.now))

    def _carry_out(self, moves: list[Move]) -> None:
        for move in moves:
            match move:
                case Send(attempt):
                    self._send(attempt)
                case Answer(route):
                    self.ledger.over(route.carried, "ok", self.timeline.now)
                case Refuse(route, error):
                    self.ledger.over(route.carried, outcome_of(error), self.timeline.now)
                case GiveUp(route, outcome):
                    self.ledger.over(route.carried, outcome, self.timeline.now)
                case CallOff(attempt):
                    self.models[attempt.target.id].call_off(attempt.carried)
                    attempt.carried = None
                case Tell(kind):
                    self.told[kind.__name__] += 1
                case Later(route, seconds):
                    self.timeline.after(seconds, self._due, route)
                case HedgeLater(attempt, seconds):
                    self.timeline.after(seconds, self._hedge, attempt)
                case LookLater(target, seconds):
                    self.timeline.after(seconds, self._look_again, target)

    def _send(self, attempt: Attempt) -> None:
        route = attempt.route
        attempt.carried = job = Job(route.carried, route.request, attempt)
        self.ledger.sent(route.carried, self.timeline.now)
        self.models[attempt.target.id].accept(job)

    def _due(self, route: Route) -> None:
        self._carry_out(self.dispatcher.due(route, self.timeline.now))

    def _hedge(self, attempt: Attempt) -> None:
        self._carry_out(self.dispatcher.hedge(attempt, self.timeline.now))

    def _look_again(self, target: Any) -> None:
        self._carry_out(self.dispatcher.look_again(target, self.timeline.now))

    # -- what models do

    def has_begun(self, job: Job) -> None:
        self._carry_out(self.dispatcher.began(job.sent, self.timeline.now))

    def has_finished(self, job: Job, reply: TextReply | None) -> None:
        job.sent.carried = None  # which would keep both until the next collection
        self._carry_out(self.dispatcher.answered(job.sent, reply, self.timeline.now))

    def has_failed(self, job: Job, error: InferenceError) -> None:
        job.sent.carried = None
        self._carry_out(self.dispatcher.failed(job.sent, error, self.timeline.now))

    def starts(self, id: str) -> None:
        self._carry_out(self.dispatcher.starting(self._targets[id], self.timeline.now))

    def is_ready(self, model: Model) -> None:
        target = self._targets[model.id]
        self._carry_out(self.dispatcher.readiness(target, True, self.timeline.now))

    def unready(self, model: Model) -> None:
        target = self._targets[model.id]
        self._carry_out(self.dispatcher.readiness(target, False, self.timeline.now))

    def ended(self, model: Model, starts_at: float | None) -> None:
        target = self._targets[model.id]
        self._carry_out(self.dispatcher.ended(target, starts_at, True, self.timeline.now))

    # -- what is measured

    def waiting(self) -> int:
        return super().waiting() + sum(t.line.waiting for t in self._targets.values())

    def look(self) -> None:
        if self._senses_load:
            ready = [model for model in self.models.values() if model.is_ready]
            slots = sum(model.kind.slots for model in ready)
            self._load.update(sum(len(m.running) for m in ready) / slots if slots else None)


def outcome_of(error: Exception) -> str:
    """Name the error with which a request was refused."""
    return getattr(error, "kind", type(error).__name__)
