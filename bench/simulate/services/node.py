"""A node: one worker behind a server of its own, which all services share."""

from __future__ import annotations

from random import Random

from bench.simulate.ask import Ask
from bench.simulate.family import Modelled, World
from bench.simulate.model import Job
from bench.simulate.routed import Routed
from bench.simulate.services.call import WIRE, Call
from bench.simulate.variants import Variant
from failsoft.messages import (
    GenerationFailed,
    InferenceError,
    InferenceTimeout,
    ModelOverloaded,
    TextReply,
)
from failsoft.supervisors.routing.candidate import candidate
from failsoft.supervisors.routing.route import Route


class Node(Routed):
    """Answer calls by a router with one model, each by the time that its service says is left."""

    def __init__(self, world: World, variant: Variant, seed: str) -> None:
        chance, loads = Random(f"{seed} policy"), Random(f"{seed} loads")
        model = candidate("m0", Modelled, at_once=world.kind.slots)
        super().__init__(world, (model,), variant, chance, loads)
        (self.model,) = self.models.values()

    def take(self, call: Call) -> None:
        """Take a call in, as it comes out of the wire."""
        if call.is_off:
            return
        attempt, now = call.attempt, self.timeline.now
        route = attempt.route
        left = route.deadline - (now - WIRE)  # as it was sent
        ask = Ask(route.request, now, left, is_stream=route.is_stream)
        ask.carried = call
        call.route = Route(ask.request, now, ask.deadline, is_stream=ask.is_stream, carried=ask)
        self._arrives(call.route)

    def drop(self, call: Call) -> None:
        """Do no more for a call: its connection is closed."""
        if call.route is not None:
            self._left(call.route)

    def _over(self, ask: Ask, outcome: str, error: Exception | None) -> None:
        call: Call = ask.carried
        if error is not None:
            call.error = _as_told(error)
        elif outcome != "ok":
            call.error = InferenceTimeout("The remote server's time was over (504).", timestamp=0.0)
        self.timeline.after(WIRE, call.ends, None)

    def has_begun(self, job: Job) -> None:
        super().has_begun(job)
        call: Call = job.sent.route.carried.carried
        self.timeline.after(WIRE, call.begins, None)

    def has_finished(self, job: Job, reply: TextReply | None) -> None:
        call: Call = job.sent.route.carried.carried
        call.reply = reply
        super().has_finished(job, reply)


def _as_told(error: Exception) -> InferenceError:
    """Give the error that a remote model makes of a server's."""
    if isinstance(error, ModelOverloaded):
        wait = error.details.get("retry_after", 1.0)
        return ModelOverloaded("It is overloaded.", details={"retry_after": wait}, timestamp=0.0)
    if isinstance(error, InferenceTimeout):
        return InferenceTimeout("Its time for it was over.", timestamp=0.0)
    return GenerationFailed("The remote server failed (500).", timestamp=0.0)
