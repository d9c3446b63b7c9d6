"""One load at a time in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable

_TELL_EVERY = 0.1


class LoadTurn:
    """Let one thread load, and the others wait.

    Loaders change what all threads of a process share, such as torch's default dtype.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._loader: object = None

    def __repr__(self) -> str:
        return f"<LoadTurn {'free' if self._loader is None else 'taken'}>"

    def take(self, loader: object, while_waiting: Callable[[], object]) -> None:
        """Wait until it is ``loader``'s turn; call ``while_waiting`` again and again meanwhile."""
        while not self._is_taken_by(loader):
            while_waiting()

    def give_back(self, loader: object) -> None:
        """Let the next one load. No-op where it isn't ``loader``'s turn. From any thread."""
        with self._changed:
            if self._loader is loader:
                self._loader = None
                self._changed.notify()

    def _is_taken_by(self, loader: object) -> bool:
        with self._changed:
            if self._changed.wait_for(lambda: self._loader is None, _TELL_EVERY):
                self._loader = loader
            return self._loader is loader
