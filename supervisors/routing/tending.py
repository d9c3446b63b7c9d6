"""Tending: what happens to the models themselves; the second part of the dispatcher."""

from __future__ import annotations

from typing import Literal

from failsoft.supervisors.routing.circuit import CircuitState
from failsoft.supervisors.routing.moves import LookLater, Move
from failsoft.supervisors.routing.placing import Placing
from failsoft.supervisors.routing.route import Route
from failsoft.supervisors.routing.target import Target

_SOON = 1.0


class Tending(Placing):
    """Keep account of which models are there, and how well they are.

    Each method takes the time, and gives the moves that follow, in order.
    """

    def starting(self, target: Target, now: float) -> list[Move]:
        """Take note that a model begins to start."""
        target.starts_at = None
        target.times.began(now)
        return self._take()

    def readiness(self, target: Target, is_ready: bool, now: float) -> list[Move]:
        """Take note that a model wants work, or can't take it any more."""
        if is_ready == target.is_ready:
            return []
        target.is_ready = is_ready
        if is_ready:
            target.times.ready(now)
            target.line.resume()
            self._probe(target, now)
            self._pull(target, now)
            self._gather(target, now)
        else:
            target.line.pause()
            self._scatter(target, now)
        return self._take()

    def ended(
        self, target: Target, starts_at: float | None, is_failure: bool, now: float
    ) -> list[Move]:
        """Take note that a model's actor ended, and is started again at ``starts_at``."""
        target.starts_at = starts_at
        target.times.lost()
        if is_failure and not target.is_counted and target.circuit is not None:
            target.circuit.crashed(now)
            self._heed_circuit(target, now)
        target.is_counted = False
        self._scatter(target, now)
        return self._take()

    def look_again(self, target: Target, now: float) -> list[Move]:
        """Take note that a circuit may be over its open time."""
        self._probe(target, now)
        self._gather(target, now)
        return self._take()

    def force(
        self, target: Target, state: Literal["open", "closed"] | None, now: float
    ) -> list[Move]:
        """Hold a circuit in a state, for an operator; None lets go."""
        if target.circuit is not None:
            target.circuit.force(state, now)
            self._heed_circuit(target, now)
        return self._take()

    def reset(self, target: Target, now: float) -> list[Move]:
        """Close a circuit, and forget what led to its state."""
        if target.circuit is not None:
            target.circuit.reset(now)
            self._heed_circuit(target, now)
        return self._take()

    def _probe(self, target: Target, now: float) -> None:
        """Send a model's canary, where it has one and its circuit waits for a probe."""
        circuit, breaker, canary = target.circuit, target.breaker, target.spec.canary
        if canary is None or circuit is None or breaker is None or not target.is_ready:
            return
        is_due = circuit.state(now) is CircuitState.HALF_OPEN and circuit.admits(now)
        if is_due and target.line.has_room:
            route = Route(canary, now, now + breaker.probe_seconds, is_canary=True)
            self._enters(route, target, now)
        elif is_due:  # what it had in hand before it opened
            self._moves.append(LookLater(target, _SOON))
