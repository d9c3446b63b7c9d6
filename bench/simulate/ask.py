"""An ask: what a client wants, until it has it or gives up."""

from __future__ import annotations

from typing import Any

from failsoft.messages import GenerateText


class Ask:
    """Follow one request of a client, through all the tries that it takes.

    outcome: ``ok``, or what kept it from an answer; empty until it is over.
    sends: how often a model got it. is_poison: it takes down the worker that begins with it.
    carried: what the one who serves it needs.
    """

    __slots__ = (
        "arrived_at",
        "carried",
        "deadline",
        "is_poison",
        "is_stream",
        "outcome",
        "request",
        "sends",
        "tries",
    )

    def __init__(
        self,
        request: GenerateText,
        arrived_at: float,
        patience: float,
        *,
        is_stream: bool = False,
        is_poison: bool = False,
    ) -> None:
        self.request = request
        self.arrived_at = arrived_at
        self.deadline = arrived_at + patience
        self.is_stream = is_stream
        self.is_poison = is_poison
        self.outcome = ""
        self.sends = self.tries = 0
        self.carried: Any = None

    def __repr__(self) -> str:
        return f"<Ask at={self.arrived_at:g} sends={self.sends} {self.outcome or 'open'}>"
