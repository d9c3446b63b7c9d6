"""Tending: what happens to the models themselves; the second part of the dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from failsoft.supervisors.routing.candidate import Candidate
from failsoft.supervisors.routing.circuit import CircuitState
from failsoft.supervisors.routing.moves import LookLater, Move
from failsoft.supervisors.routing.placing import Placing
from failsoft.supervisors.routing.route import Route
from failsoft.supervisors.routing.target import ENDING, Target

SOON = 1.0  # seconds


class Tending(Placing):
    """Keep account of which models are there, and how well they are.

    Each method takes the time, and gives the moves that follow, in order.
    """

    def starting(self, target: Target, now: float) -> list[Move]:
        """Take note that a model begins to start."""
        target.starts_at = None
        target.is_down = target.is_drained = False
        target.blamed.clear()
        target.times.began(now)
        return self._take()

    def readiness(self, target: Target, is_ready: bool, now: float) -> list[Move]:
        """Take note that a model wants work, or can't take it any more."""
        if is_ready == target.is_ready:
            return []
        target.is_ready = is_ready
        target.unready_since = None if is_ready else now
        if is_ready:
            target.times.ready(now)
            target.line.resume()
            self._probe(target, now)
            self._pull(target, now)
            self._gather(target, now)
        else:
            target.line.pause()
            # Not at once: what it had in work fails next, and may tell that others like it, who
            # wait here, are not to be sent on.
            self._moves.append(LookLater(target, 0.0))
            self._moves.append(LookLater(target, ENDING))
        return self._take()

    def ended(
        self, target: Target, starts_at: float | None, is_failure: bool, now: float
    ) -> list[Move]:
        """Take note that a model's actor ended, and is started again at ``starts_at``."""
        target.starts_at = starts_at
        target.unready_since = None
        target.times.lost()
        if is_failure and not target.is_counted and target.circuit is not None:
            target.circuit.crashed(now)
            self._heed_circuit(target, now)
        target.is_counted = False
        self._recall(target, now)
        self._scatter(target, now)
        return self._take()

    def _recall(self, target: Target, now: float) -> None:
        """Take back what is in its mailbox yet: there it would wait for the restart.

        All that it had begun has been answered by now, at its end.
        """
        unbegun = tuple(target.attempts)
        for attempt in unbegun:
            attempt.route.sends -= 1
            self._give_up(attempt, now)
        for route in (attempt.route for attempt in unbegun):
            if not (route.attempts or route.is_canary or route.is_over):
                self._place(route, now)

    def given_up(self, target: Target, now: float) -> list[Move]:
        """Take note that a model that is down isn't started again, unless somebody orders it."""
        target.is_down = True
        target.starts_at = None
        target.times.lost()
        self._scatter(target, now)
        return self._take()

    def look_again(self, target: Target, now: float) -> list[Move]:
        """Take note that a circuit's time, or its probe's, may be over, or a model isn't ready."""
        if target.circuit is not None:
            target.circuit.catch_up(now)
            self._heed_circuit(target, now)
        if not target.is_ready:
            self._scatter(target, now)
        self._probe(target, now)
        self._gather(target, now)
        for route in tuple(self._held_back):
            del self._held_back[route]
            self._place(route, now)
        return self._take()

    def added(self, spec: Candidate) -> None:
        """Take a candidate in, after the others; it is down yet."""
        self.targets[spec.id] = Target(spec, self.policy, is_first=not self.targets)

    def ordered(self, ids: Sequence[str]) -> None:
        """Prefer the candidates in this order; those that aren't named come after them."""
        named = [id for id in ids if id in self.targets]
        self.targets = {id: self.targets[id] for id in dict.fromkeys((*named, *self.targets))}
        first = next(iter(self.targets.values()))
        for target in self.targets.values():
            # By name: what one has in hand that is about to go for its successor is no fallback.
            target.is_first = target.called == first.called

    def removed(self, target: Target, now: float) -> list[Move]:
        """Take note that there is no such candidate any more. It is down."""
        del self.targets[target.id]
        for first in self.targets.values():
            first.is_first = True
            break
        self._scatter(target, now)
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
            self._moves.append(LookLater(target, SOON))
