"""Models for health's tests: real actors in a real tree, in the state that the test says."""

from __future__ import annotations

import functools
from typing import Any

from failsoft.actors import Actor, Ref, System, handles
from failsoft.messages import GenerateText, Message, TextReply, Usage
from failsoft.supervisors import Backoff, Candidate, candidate

SLOW = Backoff(base=60.0, jitter=False)


class Enter(Message, frozen=True):
    """Be in ``state`` from now on; ``failed`` ends the actor."""

    state: str


class StandingModel(Actor):
    """Be a model as far as the tree shows. shows: what else it tells of itself."""

    def __init__(self, state: str = "loading", **shows: Any) -> None:
        self._state = state
        self._shows = shows

    async def on_start(self) -> None:
        self.context.defer_ready()
        self.standing_in(self._state)

    def inspect(self) -> dict[str, Any]:
        return {"model_state": self._state, "running": 0, "waiting": 0, **self._shows}

    @handles(Enter)
    def _told(self, message: Enter) -> None:
        self.standing_in(message.state)

    @handles(GenerateText)
    def _generate(self, _request: GenerateText) -> TextReply:
        return TextReply("well", "stop", Usage(1, 1))

    def standing_in(self, state: str) -> None:
        """Be in ``state`` at once."""
        self._state = state
        if state == "failed":
            raise OSError("the model failed")
        self.context.set_ready(state in ("ready", "busy"))


def standing(id: str, state: str = "loading", **shows: Any) -> Candidate:
    """Describe a candidate that is in ``state`` after each start."""
    return candidate(id, functools.partial(StandingModel, state, **shows), backoff=SLOW)


def enter(system: System, path: str, state: str) -> Ref:
    """Have a model enter a state; give its ref."""
    model = system.ref(path)
    model.tell(Enter(state))
    return model
