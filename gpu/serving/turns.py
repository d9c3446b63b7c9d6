"""Have an engine of generators work on requests as a batch engine does: each in its turn."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from failsoft.gpu.engine import Engine, Step


class Turns:
    """Make a step of each request's generator in turn; the engine's ``max_batch`` at once, or 1.

    The engine hears of a request in the first step of it, and not before.
    """

    batch_delay = 0.0

    def __init__(self, engine: Engine) -> None:
        self.max_batch: int = getattr(engine, "max_batch", 1)
        self._engine = engine
        self._answers: dict[int, Generator[Any, None, Any]] = {}

    def __repr__(self) -> str:
        return f"<Turns of {self._engine!r}, {len(self._answers)} of {self.max_batch}>"

    def begin(self, id: int, request: Any) -> bool:
        """Take a request in."""
        self._answers[id] = self._answer(request)
        return True

    def step(self) -> list[Step]:
        """Make a step of each request."""
        return [self._turn(id, answer) for id, answer in list(self._answers.items())]

    def recover(self, error: BaseException) -> list[Step]:
        """Have the request that was taken in first end with ``error``."""
        first = next(iter(self._answers))
        self.drop(first)
        return [Step.failed(first, error)]

    def drop(self, id: int) -> None:
        """Close a request's generator."""
        answer = self._answers.pop(id, None)
        if answer is not None:
            answer.close()

    def _answer(self, request: Any) -> Generator[Any, None, Any]:
        return (yield from self._engine.generate(request))

    def _turn(self, id: int, answer: Generator[Any, None, Any]) -> Step:
        try:
            return Step(id, next(answer))
        except StopIteration as end:
            step = Step(id, is_last=True, reply=end.value)
        # One request's fault is its own answer; the others have their turns.
        except (Exception, SystemExit) as error:
            step = Step.failed(id, error)
        del self._answers[id]
        return step
