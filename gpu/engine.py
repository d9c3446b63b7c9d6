"""What a worker process asks of an engine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, ClassVar, Protocol


class Engine(Protocol):
    """Do the work of a model, in a worker process of its own.

    An engine is made there from ``WorkerSpec.options``, and used by one thread. It may also have
    ``device_bytes() -> int``, the device memory it holds now; that is called from another thread.

    requests: the types of request that it answers.
    """

    requests: ClassVar[tuple[type, ...]]

    def load(self, progress: Callable[[int, int], None]) -> dict[str, Any]:
        """Load; give plain data that says what was loaded.

        ``progress(done, total)`` tells that the load moves, in bytes; ``total`` is 0 where it
        isn't known. Raise ModelLoadingFailed with what to do about it.
        """
        ...

    def generate(self, request: Any) -> Generator[Any, None, Any]:
        """Answer ``request``: each ``next()`` is one step, and gives a chunk or None.

        The generator's return value is the reply. It is closed where the work is to stop early.
        Raise an InferenceError for what the caller should know; anything else is a fault.
        """
        ...

    def unload(self) -> None:
        """Let go of what was loaded."""
        ...
