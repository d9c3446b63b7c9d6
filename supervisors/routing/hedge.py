"""Hedge: when to ask a second model too, because the first is slow to begin."""

from __future__ import annotations

import math

import msgspec

from failsoft.supervisors.routing.first_answers import FirstAnswers


class Hedge(msgspec.Struct, frozen=True):
    """Ask a second model where the first takes longer than nearly all of its answers did.

    quantile: of the first answers; a larger one hedges more rarely. 0.95 hedges one in twenty.
    minimum: first answers that must be known.
    least_seconds: what is waited at least.

    See Dean and Barroso, "The Tail at Scale" (2013).
    """

    quantile: float = 0.95
    minimum: int = 20
    least_seconds: float = 0.05

    def __post_init__(self) -> None:
        is_fine = 0 < self.quantile <= 1 and self.minimum >= 1 and self.least_seconds >= 0
        if not is_fine or not math.isfinite(self.least_seconds):
            raise ValueError(
                "a hedge needs 0 < quantile <= 1, minimum >= 1 and least_seconds >= 0 s, finite"
            )

    def delay(self, first_answers: FirstAnswers) -> float | None:
        """Give the seconds to wait for the first model; None: too little is known to hedge."""
        slow = first_answers.quantile
        return None if slow is None else max(self.least_seconds, slow)
