"""What the benchmark asks of whoever supervises the model."""

from __future__ import annotations

from typing import Protocol


class Unanswered(Exception):
    """The caller got an error, named in the message, or nothing within its time."""


class Peer(Protocol):
    """Keep one model up in a process below this one, and have it asked."""

    async def ask(self, prompt: str, steps: int, seconds: float) -> str:
        """Give the answer within ``seconds``.

        Raises:
            Unanswered: there was none.
        """
        ...

    async def ready(self) -> None:
        """Wait until all that is kept ready is: a spare, too."""
        ...

    def worker(self) -> int:
        """Give the process that has the model and is asked."""
        ...

    def parent(self) -> int:
        """Give the process that watches over the worker."""
        ...
