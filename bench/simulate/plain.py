"""A plain family: what is common without failsoft, to hold it against.

A load balancer takes the models that are ready in turn. Each has a queue without a bound, and
works off also what nobody waits for any more. Clients give a try some seconds, and make three
more, a second after each failure, while they have patience. What runs the workers waits ten
seconds before a restart, then twice as long each time, up to five minutes.
"""

from __future__ import annotations

from random import Random

from bench.simulate.ask import Ask
from bench.simulate.family import Family, Supervision, World
from bench.simulate.model import Job, Model
from failsoft.messages import InferenceError, TextReply
from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.routing.candidate import Candidate

TRIES = 4
PAUSE = 1.0
TRY_SECONDS = 15.0
SUPERVISION = Supervision(
    Backoff(base=10.0, factor=2.0, cap=300.0, jitter=False, reset_after=600.0),
    Intensity(max_restarts=1_000_000),
    cool_down=None,
)


class Plain(Family):
    """Send each try to the next model that is ready."""

    heeds = False

    def __init__(
        self, world: World, candidates: tuple[Candidate, ...], chance: Random, loads: Random
    ) -> None:
        super().__init__(world, candidates, SUPERVISION, chance, loads)
        self._turn = 0

    def arrive(self, ask: Ask) -> None:
        self.timeline.at(ask.deadline, self._patience_ends, ask)
        self._try(ask)

    def _try(self, ask: Ask) -> None:
        if ask.outcome:
            return
        ask.tries += 1
        model = self._next_ready()
        if model is None:
            self._failed(ask)
            return
        ask.carried = job = Job(ask, ask.request, model)
        self.ledger.sent(ask, self.timeline.now)
        self.timeline.after(TRY_SECONDS, self._try_ends, job)
        model.accept(job)

    def _next_ready(self) -> Model | None:
        models = list(self.models.values())
        for _ in models:
            self._turn = (self._turn + 1) % len(models)
            if models[self._turn].is_ready:
                return models[self._turn]
        return None

    def _failed(self, ask: Ask) -> None:
        if ask.tries < TRIES and self.timeline.now + PAUSE < ask.deadline:
            self.timeline.after(PAUSE, self._try, ask)
        else:
            self.ledger.over(ask, "failed", self.timeline.now)

    def _try_ends(self, job: Job) -> None:
        if not job.ask.outcome and job.ask.carried is job:
            job.sent.call_off(job)
            self._failed(job.ask)

    def _patience_ends(self, ask: Ask) -> None:
        if not ask.outcome:
            if ask.carried is not None:
                ask.carried.sent.call_off(ask.carried)
                ask.carried = None
            self.ledger.over(ask, "inference_timeout", self.timeline.now)

    def has_begun(self, job: Job) -> None:
        pass

    def has_finished(self, job: Job, reply: TextReply | None) -> None:
        job.ask.carried = None
        self.ledger.over(job.ask, "ok", self.timeline.now)

    def has_failed(self, job: Job, error: InferenceError) -> None:
        job.is_off = True
        job.ask.carried = None
        self._failed(job.ask)
