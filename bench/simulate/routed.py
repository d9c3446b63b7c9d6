"""A routed family: the true dispatcher in front of modelled models, which are its own."""

from __future__ import annotations

from random import Random

from bench.simulate.ask import Ask
from bench.simulate.family import Family, Supervision, World
from bench.simulate.model import Job, Model
from bench.simulate.routing import Routing
from bench.simulate.variants import Variant
from failsoft.messages import InferenceError, TextReply
from failsoft.supervisors.routing.candidate import Candidate
from failsoft.supervisors.routing.route import Attempt


class Routed(Routing, Family):
    """Serve requests with the models of a family, by a router's policy."""

    def __init__(
        self,
        world: World,
        candidates: tuple[Candidate, ...],
        variant: Variant,
        chance: Random,
        loads: Random,
    ) -> None:
        supervision = Supervision(backoff=variant.restarts)
        Family.__init__(self, world, candidates, supervision, chance, loads)
        assert variant.policy is not None
        Routing.__init__(self, world.timeline, candidates, variant.policy, chance)
        self._senses_load = variant.senses_load

    def _over(self, ask: Ask, outcome: str, error: Exception | None) -> None:
        self.ledger.over(ask, outcome, self.timeline.now)

    def _send(self, attempt: Attempt) -> None:
        route = attempt.route
        attempt.carried = job = Job(route.carried, route.request, attempt)
        self.ledger.sent(route.carried, self.timeline.now)
        self.models[attempt.target.id].accept(job)

    def _call_off(self, attempt: Attempt) -> None:
        self.models[attempt.target.id].call_off(attempt.carried)

    # -- what models do

    def has_begun(self, job: Job) -> None:
        self._began(job.sent)

    def has_finished(self, job: Job, reply: TextReply | None) -> None:
        self._finished(job.sent, reply)

    def has_failed(self, job: Job, error: InferenceError) -> None:
        self._failed(job.sent, error)

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
        return super().waiting() + self.in_line

    def look(self) -> None:
        if self._senses_load:
            ready = [model for model in self.models.values() if model.is_ready]
            slots = sum(model.kind.slots for model in ready)
            self._load.update(sum(len(m.running) for m in ready) / slots if slots else None)
