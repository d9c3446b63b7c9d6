"""Dead letters: what could not be delivered is kept for a while, and counted for good."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

import msgspec
import structlog

from failsoft.actors.bus import EventBus
from failsoft.messages.events import DeadLettered, Event

log = structlog.get_logger("failsoft.dead_letters")

KEPT = 1000


class DeadLetter(msgspec.Struct, frozen=True):
    """Hold a message or late reply, whom it was for, and why it wasn't delivered."""

    path: str
    message: Any
    reason: str


class DeadLetters:
    """Keep the last ``KEPT`` dead letters, oldest first, and counts by reason of all."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        self._kept: deque[DeadLetter] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()

    def add(self, path: str, message: Any, reason: str) -> None:
        """Take note of a message that ``path`` did not get, or a reply that nobody took."""
        self._kept.append(DeadLetter(path, message, reason))
        self._counts[reason] += 1
        name = type(message).__name__
        log.debug("dead_letter", path=path, message_type=name, reason=reason)
        if not isinstance(message, Event):  # or a full subscriber would make ever more of them
            self._bus.publish(DeadLettered, path, message_type=name, reason=reason)

    @property
    def recent(self) -> tuple[DeadLetter, ...]:
        return tuple(self._kept)

    @property
    def total(self) -> int:
        return self._counts.total()

    def counts(self) -> dict[str, int]:
        """Give how many there were by reason."""
        return dict(self._counts)
