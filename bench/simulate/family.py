"""A family: the models of one route, restarted by the true state machine of supervisors."""

from __future__ import annotations

from random import Random
from typing import ClassVar

import msgspec

from bench.simulate.ask import Ask
from bench.simulate.ledger import Ledger
from bench.simulate.model import Job, Model, ModelKind, Storage
from bench.simulate.timeline import Timeline
from failsoft.actors import Actor
from failsoft.actors.exit import failed
from failsoft.messages import InferenceError, TextReply, WorkerLost
from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.machine import Machine
from failsoft.supervisors.routing.candidate import Candidate, candidate
from failsoft.supervisors.steps import Begin, CooledDown, Due, Exited, Start, Started, Wait
from failsoft.supervisors.steps import SupervisorInput as Event


class Modelled(Actor):
    """Stand in a child spec for a model, which is modelled here."""


def candidates_of(count: int, at_once: int | None = None) -> tuple[Candidate, ...]:
    """Describe so many candidates."""
    return tuple(candidate(f"m{n}", Modelled, at_once=at_once) for n in range(count))


class World(msgspec.Struct, frozen=True):
    """Hold what all families of a run share."""

    kind: ModelKind
    timeline: Timeline
    ledger: Ledger
    storage: Storage


class Supervision(msgspec.Struct, frozen=True):
    """Say how models are restarted; the defaults are those of a router."""

    backoff: Backoff = Backoff()
    intensity: Intensity = Intensity()
    cool_down: float | None = 60.0


class Family:
    """Keep the models of one route alive; who serves requests with them is the subclass.

    chance: for what policies draw. restarts: models that ended, to be started anew. cool_downs:
    times that one was left alone for longer.
    """

    heeds: ClassVar[bool] = True

    def __init__(
        self,
        world: World,
        candidates: tuple[Candidate, ...],
        supervision: Supervision,
        chance: Random,
        loads: Random,
    ) -> None:
        self.timeline = world.timeline
        self.ledger = world.ledger
        self.restarts = self.cool_downs = 0
        self.models = {
            spec.id: Model(
                spec.id, world.kind, self, world.timeline, loads, world.storage, heeds=self.heeds
            )
            for spec in candidates
        }
        self._machine = Machine(
            candidates,
            "one_for_one",
            supervision.intensity,
            supervision.backoff,
            chance,
            cool_down=supervision.cool_down,
        )

    def begin(self) -> None:
        """Start all models."""
        self.step(Begin())

    def step(self, event: Event) -> None:
        """Give the machine an event, and do what it says."""
        for action in self._machine.step(event, self.timeline.now):
            match action:
                case Start(id):
                    self.starts(id)
                    self.models[id].start()
                    self.timeline.after(0.0, self.step, Started(id))
                case Wait(plan, delay):
                    self.timeline.after(delay, self.step, Due(plan))
                case CooledDown():
                    self.cool_downs += 1
                case _:
                    pass

    def has_died(self, model: Model, error: InferenceError) -> None:
        """Answer what the model had in hand, as a model actor does, and have it restarted."""
        self.restarts += 1
        self.unready(model)
        for job in model.take_back():
            details = {"begun": job.has_begun}
            self.has_failed(job, WorkerLost(error.message, details=details, timestamp=0.0))
        self.step(Exited(model.id, failed(error)))
        self.ended(model, self._machine.children[model.id].until)

    def arrive(self, ask: Ask) -> None:
        """Take in a client's request."""
        raise NotImplementedError

    def waiting(self) -> int:
        """Count the requests that wait for a slot, wherever they do."""
        return sum(len(model.waiting) for model in self.models.values())

    def look(self) -> None:
        """See how busy the models are; called once a second."""

    def starts(self, id: str) -> None:
        """Hear that a model begins to start."""

    def is_ready(self, model: Model) -> None:
        """Hear that a model takes work."""

    def unready(self, model: Model) -> None:
        """Hear that a model takes no more work."""

    def ended(self, model: Model, starts_at: float | None) -> None:
        """Hear that a model has ended, and when it will be started."""

    def has_begun(self, job: Job) -> None:
        raise NotImplementedError

    def has_finished(self, job: Job, reply: TextReply | None) -> None:
        raise NotImplementedError

    def has_failed(self, job: Job, error: InferenceError) -> None:
        raise NotImplementedError
