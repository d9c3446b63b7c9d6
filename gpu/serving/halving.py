"""Find the request that breaks a step, for a batch engine that doesn't do so itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from failsoft.gpu.engine import PlainBatches, Step
from failsoft.gpu.serving.classify import is_sticky


class Halving:
    """Go on after a failed step with half of its requests, and with the others after them.

    So those that were only beside the one to blame are answered, and it fails alone. A request of
    which something was shown can't be begun anew: it fails with the step. Meanwhile no other
    request is taken in.
    """

    def __init__(self, engine: PlainBatches) -> None:
        self._engine = engine
        self._limit = engine.max_batch
        self._in: dict[int, Any] = {}
        # Of a failed step, to be begun anew, those in front first; the engine doesn't have them.
        self._apart: dict[int, Any] = {}
        self._shown: set[int] = set()

    def __repr__(self) -> str:
        held = f"{len(self._in)} of {self._limit}, {len(self._apart)} apart"
        return f"<Halving of {self._engine!r}, {held}>"

    @property
    def max_batch(self) -> int:
        """Give how many requests the engine takes at once."""
        return self._engine.max_batch

    @property
    def batch_delay(self) -> float:
        """Give the seconds that the engine waits for more, when idle."""
        return self._engine.batch_delay

    def begin(self, id: int, request: Any) -> bool:
        """Take a request in, where none of a failed step waits for its turn."""
        return not self._apart and self._puts_in(id, request)

    def step(self) -> Sequence[Step]:
        """Make a step; it shows that those in it are well."""
        if unfit := self._begin_anew():
            return unfit
        steps = self._engine.step()
        if not self._apart:
            self._limit = self._engine.max_batch
        for step in steps:
            if step.is_last:
                self._forget(step.id)
            elif step.chunk is not None:
                self._shown.add(step.id)
        return steps

    def recover(self, error: BaseException) -> list[Step]:
        """Take all out of the engine; tell who ends: the one that was alone, and what was shown."""
        failed = dict(self._in)
        for id in failed:
            self._engine.drop(id)
        self._in.clear()
        if is_sticky(error):
            failed |= self._apart
            self._apart = {}
        elif len(failed) > 1:
            self._limit = len(failed) // 2
            unshown = {id: each for id, each in failed.items() if id not in self._shown}
            self._apart = unshown | self._apart
            failed = {id: each for id, each in failed.items() if id in self._shown}
        self._shown -= failed.keys()
        return [Step.failed(id, error) for id in failed]

    def drop(self, id: int) -> None:
        """Work no more on a request."""
        self._apart.pop(id, None)
        self._forget(id)
        self._engine.drop(id)

    def _begin_anew(self) -> list[Step]:
        """Put in what there is room for; give those that the engine won't have any more."""
        unfit = []
        for id, request in list(self._apart.items()):
            try:
                if not self._puts_in(id, request):
                    break
            except (Exception, SystemExit) as error:
                unfit.append(Step.failed(id, error))
            del self._apart[id]
        return unfit

    def _puts_in(self, id: int, request: Any) -> bool:
        if len(self._in) >= self._limit or not self._engine.begin(id, request):
            return False
        self._in[id] = request
        return True

    def _forget(self, id: int) -> None:
        self._in.pop(id, None)
        self._shown.discard(id)
