"""Placing: which model a request goes to, or waits for; the first part of the dispatcher."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from failsoft.messages import ContextLengthExceeded
from failsoft.messages.events import BreakerChanged, Event, RequestHedged, RequestShed
from failsoft.supervisors.routing.admission import Admitted, Refused
from failsoft.supervisors.routing.candidate import Candidate
from failsoft.supervisors.routing.circuit import CircuitState
from failsoft.supervisors.routing.moves import CallOff, HedgeLater, LookLater, Move, Send, Tell
from failsoft.supervisors.routing.ordering import least_loaded
from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.route import Attempt, Route, Stage
from failsoft.supervisors.routing.target import Target

# Why a model is passed by, as ``tried_models`` says it.
_NOT_SUITED, _NO_TIME, _OPEN, _NOT_READY = "not_suited", "no_time", "circuit_open", "not_ready"
_SUSPECTED, _ANOTHER_MODEL = "suspected", "another_model"
SHED = "shed"


class Placing:
    """Know the targets, in order of priority, and put requests in front of them."""

    _random: Random

    def __init__(self, candidates: Sequence[Candidate], policy: RoutePolicy) -> None:
        self.policy = policy
        self._are_equals = policy.prefer == "least_loaded"
        self.targets = {
            spec.id: Target(spec, policy, is_first=spec is candidates[0]) for spec in candidates
        }
        self._wait_up_to = policy.wait_up_to or 0.0
        self._spills = policy.while_busy == "fallback"
        self._closing: tuple[str, str] | None = None
        self._held_back: dict[Route, None] = {}
        self._moves: list[Move] = []

    # -- choosing

    def _place(self, route: Route, now: float) -> None:
        """Send the request to the first model that takes it, or have it wait for one."""
        if self._is_refused(route, now):
            return
        left = route.deadline - now
        busy: list[Target] = []
        hopeful: list[Target] = []
        is_held_back = False
        for target in self._in_order(now):
            if target.id in route.round:
                continue
            obstacle = self._obstacle(target, route, left, now)
            if obstacle is None and target.line.takes(route, now):
                if self._send(route, target, now):
                    return
                continue
            if obstacle is None and self._spills:
                busy.append(target)
                continue
            if obstacle is None or (obstacle is _NOT_READY and self._is_awaited(target, left, now)):
                if self._enters(route, target, now):
                    return
                continue
            if obstacle is _NOT_READY and target.least_wait(now) < left:
                hopeful.append(target)
            elif obstacle is _SUSPECTED:
                is_held_back = True
            else:
                route.tried.setdefault(target.id, obstacle)
        if len(busy) > 1:
            busy.sort(key=lambda target: _expected_wait(target, route, now))
        if any(self._enters(route, target, now) for target in busy):
            return
        if is_held_back:
            self._held_back[route] = None
            route.stage = Stage.QUEUED
        else:
            self._stuck(route, hopeful, now)

    def _in_order(self, now: float) -> Iterable[Target]:
        """Give the targets in the order in which they are asked."""
        targets = self.targets.values()
        return least_loaded(targets, self._random, now) if self._are_equals else targets

    def _obstacle(self, target: Target, route: Route, left: float, now: float) -> str | None:
        """Give what keeps the request from this model, None for nothing."""
        spec = target.spec
        if route.keeps_to and target.called != route.keeps_to:
            return _ANOTHER_MODEL
        if target.is_choosy and not spec.suits(route.request, route.is_stream):
            return _NOT_SUITED
        if route.prompt_tokens and not spec.surely_takes(route.prompt_tokens):
            return _NOT_SUITED
        if left <= spec.least_time:
            return _NO_TIME
        if not target.admits(now) and not route.is_canary:
            return _OPEN
        if not target.is_ready:
            return _NOT_READY
        return _SUSPECTED if route.workers_lost and target.has_suspect else None

    def _is_awaited(self, target: Target, left: float, now: float) -> bool:
        """Tell whether requests wait for this model's restart rather than fall back."""
        if not self._wait_up_to:
            return False
        expected = target.ready_in(now)
        return expected is not None and expected < left and expected <= self._wait_up_to

    def _enters(self, route: Route, target: Target, now: float) -> bool:
        """Have the request sent to this model, or queue for it; False where it is refused."""
        entry = target.line.enter(route, now)
        if isinstance(entry, Admitted):
            return self._send(route, target, now)
        if isinstance(entry, Refused):
            route.tried.setdefault(target.id, entry.reason)
            return False
        route.stage = Stage.QUEUED
        route.line = target
        if entry.evicted is not None:
            self._shed(entry.evicted, target, now)
        return True

    def _waits_for(self, route: Route, hopeful: list[Target], now: float) -> bool:
        """Have the request wait for the one of these that is expected first."""

        def ready_in(target: Target) -> float:
            expected = target.ready_in(now)
            return math.inf if expected is None else expected

        return any(self._enters(route, target, now) for target in sorted(hopeful, key=ready_in))

    def _shed(self, route: Route, target: Target, now: float) -> None:
        """Have a request that lost its place in a full queue look for another model."""
        route.line = None
        route.tried[target.id] = SHED
        self._tell(
            RequestShed,
            model=target.id,
            priority=route.priority,
            **route.ids,
        )
        self._place(route, now)

    def _fits_elsewhere(self, route: Route) -> bool:
        """Tell whether a prompt that was too long for one model is short enough for another."""
        return isinstance(route.last, ContextLengthExceeded) and any(
            target.spec.surely_takes(route.prompt_tokens) and target.id not in route.round
            for target in self.targets.values()
        )

    # -- sending

    def _send(self, route: Route, target: Target, now: float, *, is_hedge: bool = False) -> bool:
        """Send, on a slot that was taken; False where the circuit doesn't let it through."""
        permit: int | None = 0
        if target.circuit is not None:
            permit = target.circuit.admit(now)
            if permit is None:
                target.line.release(now, None)
                return False
        attempt = Attempt(route, target, permit or 0, now, is_hedge)
        target.attempts[attempt] = None
        route.sent(attempt, self._are_equals or target.is_first)
        self._moves.append(Send(attempt))
        if permit.__class__ is not int and target.breaker is not None:  # a probe's is its own kind
            self._heed_circuit(target, now)
            self._moves.append(LookLater(target, target.breaker.probe_seconds))
        times = target.first_answers
        if times is not None and not (is_hedge or route.is_canary) and len(self.targets) > 1:
            assert self.policy.hedge is not None
            delay = self.policy.hedge.delay(times)
            if delay is not None:
                self._moves.append(HedgeLater(attempt, delay))
        return True

    def hedge(self, attempt: Attempt, now: float) -> list[Move]:
        """Ask a second model, where the first hasn't begun to answer and the budget allows."""
        route = attempt.route
        if route.is_over or route.winner is not None or route.attempts != [attempt]:
            return []
        if route.workers_lost:  # one at a time, see ``Target.has_suspect``
            return []
        for target in self._in_order(now):
            if target is attempt.target or target.id in route.round or not target.line.has_room:
                continue
            if self._obstacle(target, route, route.deadline - now, now) is not None:
                continue
            if self._may_spend(now) and target.line.takes(route, now):
                self._tell(
                    RequestHedged,
                    model=attempt.target.id,
                    hedge=target.id,
                    **route.ids,
                )
                self._send(route, target, now, is_hedge=True)
            break
        return self._take()

    def _pull(self, target: Target, now: float) -> None:
        """Send what waits for this model, as far as it has room."""
        while (route := target.line.next(now)) is not None:
            route.line = None
            left = route.deadline - now
            if self._obstacle(target, route, left, now) or self._is_refused(route, now):
                target.line.release(now, None)
            elif self._send(route, target, now):
                continue
            if not route.is_over:
                self._place(route, now)

    def _scatter(self, target: Target, now: float) -> None:
        """Have all who wait for this model look for another; they may come back to it."""
        for route in target.line.drain(now):
            route.line = None
            self._place(route, now)

    def _gather(self, target: Target, now: float) -> None:
        """Have those who wait for models that aren't ready look again: this one may take them."""
        for other in self.targets.values():
            if other is not target and not other.is_ready and other.line.waiting:
                self._scatter(other, now)

    # -- what attempts leave behind

    def _wins(self, attempt: Attempt, now: float) -> None:
        """Settle that this attempt's answer is the one; call off the others."""
        route, target = attempt.route, attempt.target
        route.winner = attempt
        if route.first_at is None:
            route.first_at = now
        route.model = target.called
        route.was_fallback = not (self._are_equals or target.is_first)
        if target.first_answers is not None:
            target.first_answers.observe(now - attempt.began_at)
        if len(route.attempts) > 1:
            for other in tuple(route.attempts):
                if other is not attempt:
                    times = other.target.first_answers
                    if times is not None and not other.is_hedge:
                        # It would have taken longer yet. Left out, the usual time would sink with
                        # each hedge, and ever more would be hedged.
                        times.observe(now - other.began_at)
                    self._give_up(other, now)

    def _give_up(self, attempt: Attempt, now: float) -> None:
        self._detach(attempt)
        self._count(attempt, False, now)
        attempt.target.line.release(now, None)
        self._moves.append(CallOff(attempt))
        self._pull(attempt.target, now)

    def _detach(self, attempt: Attempt) -> None:
        del attempt.target.attempts[attempt]
        attempt.route.attempts.remove(attempt)
        if self._held_back:
            self._moves.append(LookLater(attempt.target, 0.0))

    def _count(self, attempt: Attempt, is_fault: bool, now: float) -> None:
        """Have the model's circuit know of an attempt that didn't succeed."""
        circuit = attempt.target.circuit
        if circuit is None:
            return
        if is_fault:
            circuit.failed(attempt.permit, now - attempt.began_at, now)
        else:
            circuit.ignored(attempt.permit, now)
        self._heed_circuit(attempt.target, now)

    def _heed_circuit(self, target: Target, now: float) -> None:
        """See to what follows where the circuit is in another state than before."""
        circuit = target.circuit
        if circuit is None or circuit.generation == target.known_generation:
            return
        target.known_generation = circuit.generation
        change = circuit.last_change
        assert change is not None
        self._tell(BreakerChanged, model=target.id, **change.told)
        if change.after is CircuitState.OPEN:
            self._moves.append(LookLater(target, circuit.retry_after(now)))
            self._scatter(target, now)
        elif change.after is CircuitState.CLOSED:
            self._gather(target, now)

    def _tell(self, kind: type[Event], **fields: Any) -> None:
        self._moves.append(Tell(kind, fields))

    def _take(self) -> list[Move]:
        moves, self._moves = self._moves, []
        return moves

    # -- in the dispatcher

    def _is_refused(self, route: Route, now: float) -> bool:
        raise NotImplementedError

    def _stuck(self, route: Route, hopeful: list[Target], now: float) -> None:
        raise NotImplementedError

    def _refuse(self, route: Route, error: Exception, now: float) -> None:
        raise NotImplementedError

    def _may_spend(self, now: float) -> bool:
        raise NotImplementedError


def _expected_wait(target: Target, route: Route, now: float) -> float:
    """Give the seconds that it would wait there; infinity as long as nothing was measured."""
    wait = target.line.expected_wait(now, route.priority, route.tenant)
    return math.inf if wait is None else wait
