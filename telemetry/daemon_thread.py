"""A thread for a call that may hang: it doesn't keep the process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class DaemonThread(Executor):
    """Do each call in a new daemon thread. A pool's are waited for when the process ends."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Tell whether the last call has yet to end."""
        return self._thread is not None and self._thread.is_alive()

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Begin the call now."""
        future: Future[Any] = Future()

        def call() -> None:
            future.set_running_or_notify_cancel()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._thread = threading.Thread(target=call, name=self._name, daemon=True)
        self._thread.start()
        return future
