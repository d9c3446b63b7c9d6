"""What a worker process asks of an engine: a simple one, or one that works on batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol


class Loadable(Protocol):
    """Hold a model, in a worker process of its own.

    An engine is made there from ``WorkerSpec.options``, and used by one thread. It may also have
    ``warm_up()``, which makes one real step after the load, so that the first request doesn't pay
    for what is made ready once; what it raises is a failure to load. One whose device isn't
    torch's may have ``device_memory()``, which gives its bytes held here, used by whomever, and
    in all; that is called from any thread. ``max_memory_share`` is the share of it, or of
    torch's device, or of the machine, above which no request is begun; else 0.9.

    requests: the types of request that it answers.
    """

    requests: ClassVar[tuple[type, ...]]

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Load; give plain data that says what was loaded.

        ``progress(done, total)`` tells that the load moves, in bytes; ``total`` is 0 where it
        isn't known. Raise ModelLoadingFailed with what to do about it.
        """
        ...

    def unload(self) -> None:
        """Let go of what was loaded."""
        ...


class Engine(Loadable, Protocol):
    """Do the work of a model, one request at a time.

    With ``max_batch: int`` it takes so many at once, and they take turns, a step each.
    """

    def generate(self, request: Any) -> Generator[Any, None, Any]:
        """Answer ``request``: each ``next()`` is one step, and gives a chunk or None.

        The generator's return value is the reply. It is closed where the work is to stop early.
        Raise an InferenceError for what the caller should know; anything else is a fault.
        """
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """Tell what a step did for one request.

    chunk: what shows of it, or None. is_last: it is answered, with ``reply``, or with ``error``
    where there is one.
    """

    id: int
    chunk: Any = None
    is_last: bool = False
    reply: Any = None
    error: BaseException | None = None

    @classmethod
    def failed(cls, id: int, error: BaseException) -> Step:
        return cls(id, is_last=True, error=error)


class PlainBatches(Protocol):
    """Work on several requests in one step, which fails for all of them or for none.

    max_batch: how many requests it takes at once; read after the load.
    batch_delay: in seconds, how long it waits, when idle, for more after the first one.
    """

    @property
    def max_batch(self) -> int: ...
    @property
    def batch_delay(self) -> float: ...

    def begin(self, id: int, request: Any) -> bool:
        """Take a request in. False where there is no room for it yet: it is offered again.

        An idle engine has room. What this raises is the request's answer.
        """
        ...

    def step(self) -> Sequence[Step]:
        """Make one step; tell of the requests it did something for. Those that end are out."""
        ...

    def drop(self, id: int) -> None:
        """Work no more on a request, where it is in."""
        ...


class Batches(PlainBatches, Protocol):
    """Work on several requests in one step, and know what to do after one that failed."""

    def recover(self, error: BaseException) -> Sequence[Step]:
        """Go on after a step that raised ``error``; tell of the requests that end with it.

        Where none ends, the next step must ask for less, or this would have no end.
        """
        ...


class BatchEngine(Loadable, PlainBatches, Protocol):
    """Do the work of a model, on several requests in one step.

    With ``recover`` (see ``Batches``) it says itself how to go on after a step that raised. Without
    it, half of the step's requests are begun anew, and the others after them, until the one to
    blame fails alone; ``drop`` takes them out.
    """
