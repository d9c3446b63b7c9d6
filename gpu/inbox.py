"""The requests that a worker has been given: read by one thread, worked on by another."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from failsoft.messages.errors import Cancelled, InferenceError, ModelOverloaded
from failsoft.messages.frames import Failed, Frame, Run

# The service has its own bound, and keeps far below this one.
MAX_WAITING = 4096


@dataclass
class Order:
    """Know one request: since when it is here, and whether it is still wanted.

    quickest_step: in seconds, of those made so far; what the next one takes at the least.
    """

    run: Run
    arrived: float = field(default_factory=time.monotonic)
    is_cancelled: bool = False
    tokens: int = 0
    quickest_step: float = math.inf


class Inbox:
    """Hold requests in order of arrival. What is never started is answered from here."""

    def __init__(self, answer: Callable[[Frame], None]) -> None:
        self._answer = answer
        self._changed = threading.Condition()
        self._waiting: deque[Order] = deque()
        self._in_hand: Order | None = None
        self._is_stopping = False

    def put(self, run: Run) -> None:
        """Take in a request."""
        with self._changed:
            is_stopping = self._is_stopping
            is_taken = not is_stopping and len(self._waiting) < MAX_WAITING
            if is_taken:
                self._waiting.append(Order(run))
                self._changed.notify()
        if not is_taken:
            self._refuse(run, _stopping() if is_stopping else _full())

    def cancel(self, id: int) -> None:
        """Have the request end, within a step; at once where it is still waiting."""
        with self._changed:
            if self._in_hand is not None and self._in_hand.run.id == id:
                self._in_hand.is_cancelled = True
                return
            order = next((order for order in self._waiting if order.run.id == id), None)
            if order is None:
                return
            self._waiting.remove(order)
        self._refuse(order.run, Cancelled("The request was cancelled before it was started."))

    def stop(self) -> None:
        """Let ``take`` end once the request in hand is done."""
        with self._changed:
            self._is_stopping = True
            # Under the lock: the process may end as soon as ``take`` sees that it is over.
            for order in self._waiting:
                self._refuse(order.run, _stopping())
            self._waiting.clear()
            self._changed.notify()

    def take(self) -> Order | None:
        """Give the next request, which is then in hand; None once the work is over."""
        with self._changed:
            self._in_hand = None
            while not self._waiting and not self._is_stopping:
                self._changed.wait()
            if self._waiting:
                self._in_hand = self._waiting.popleft()
            return self._in_hand

    def _refuse(self, run: Run, error: InferenceError) -> None:
        error.correlation_id = run.correlation_id
        self._answer(Failed(run.id, error.info))


def _stopping() -> ModelOverloaded:
    return ModelOverloaded("The worker is stopping; send the request again.")


def _full() -> ModelOverloaded:
    return ModelOverloaded(
        f"The worker has {MAX_WAITING} requests waiting; send the request again later."
    )
