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
    has_shown: bool = False
    began: float | None = None
    shown: float | None = None
    most_at_once: int = 0
    is_timed: bool = False
    tokens: int = 0
    quickest_step: float = math.inf


class Inbox:
    """Hold requests in order of arrival. What is never started is answered from here."""

    def __init__(self, answer: Callable[[Frame], None]) -> None:
        self._answer = answer
        self._changed = threading.Condition()
        self._waiting: deque[Order] = deque()
        self._in_hand: dict[int, Order] = {}
        self._is_stopping = False

    def __repr__(self) -> str:
        state = "stopping" if self._is_stopping else "open"
        return f"<Inbox {state}, {len(self._waiting)} waiting, {len(self._in_hand)} in hand>"

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
            if id in self._in_hand:
                self._in_hand[id].is_cancelled = True
                return
            order = next((order for order in self._waiting if order.run.id == id), None)
            if order is None:
                return
            self._waiting.remove(order)
        self._refuse(order.run, Cancelled("The request was cancelled before it was started."))

    def stop(self) -> None:
        """Let the work end once the requests in hand are done."""
        with self._changed:
            self._is_stopping = True
            # Under the lock: the process may end as soon as ``wait`` sees that it is over.
            for order in self._waiting:
                self._refuse(order.run, _stopping())
            self._waiting.clear()
            self._changed.notify()

    def abandon(self) -> None:
        """Have what is in hand end at its next step, and the work with it: nobody listens."""
        with self._changed:
            self._is_stopping = True
            self._waiting.clear()
            for order in self._in_hand.values():
                order.is_cancelled = True
            self._changed.notify()

    def wait(self, most: int, delay: float) -> bool:
        """Wait for a request, then ``delay`` seconds more, until there are ``most``.

        False once the work is over.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopping)
            if delay > 0:
                self._changed.wait_for(
                    lambda: len(self._waiting) >= most or self._is_stopping, delay
                )
            return not self._is_stopping

    def take(self) -> Order | None:
        """Give the next request, which is then in hand; None where none waits."""
        with self._changed:
            if not self._waiting:
                return None
            order = self._waiting.popleft()
            self._in_hand[order.run.id] = order
            return order

    def ended(self, order: Order) -> None:
        """Note that a request in hand has its end."""
        with self._changed:
            self._in_hand.pop(order.run.id, None)

    def _refuse(self, run: Run, error: InferenceError) -> None:
        error.correlation_id = run.correlation_id
        self._answer(Failed(run.id, error.info))


def _stopping() -> ModelOverloaded:
    return ModelOverloaded("The worker is stopping; send the request again.")


def _full() -> ModelOverloaded:
    return ModelOverloaded(
        f"The worker has {MAX_WAITING} requests waiting; send the request again later."
    )
