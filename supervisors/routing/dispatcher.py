"""The dispatcher: the state machine of a router. What happens goes in, moves come out.

No I/O, no task, no clock: a router carries out the moves with real models, the simulator of the
benchmarks with modelled ones, and both run this same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec

from failsoft.actors import ActorStopped
from failsoft.messages import InferenceTimeout
from failsoft.messages.events import FellBack, RequestResumed, RequestRetried
from failsoft.supervisors.routing.budget import TokenBucket
from failsoft.supervisors.routing.candidate import Candidate
from failsoft.supervisors.routing.circuit import CircuitState
from failsoft.supervisors.routing.degradation import Level, degraded, halved
from failsoft.supervisors.routing.failure import Failure
from failsoft.supervisors.routing.moves import (
    Answer,
    CallOff,
    GiveUp,
    Later,
    LookLater,
    Move,
    Refuse,
)
from failsoft.supervisors.routing.placing import SHED
from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.retry import pause_before_retry
from failsoft.supervisors.routing.route import Attempt, Route, Stage
from failsoft.supervisors.routing.suspecting import Suspecting
from failsoft.supervisors.routing.target import Target
from failsoft.supervisors.routing.tending import SOON

# Failures that a smaller request may not run into.
_MENDED_BY_LESS = frozenset({"out_of_memory", "generation_failed"})


class Dispatcher(Suspecting):
    """Bring each request to an answer, by the policy.

    Each method takes the time, and gives the moves that follow, in order.
    """

    def __init__(
        self, candidates: Sequence[Candidate], policy: RoutePolicy, random: Random, now: float
    ) -> None:
        super().__init__(candidates, policy)
        self.bucket = None if policy.budget is None else TokenBucket(policy.budget, now)
        self._random = random
        self._pausing: dict[Route, None] = {}
        self.routed = self.fell_back = self.in_hand = 0

    def shows(self, now: float) -> dict[str, Any]:
        """Give what is shown of it in the tree."""
        infos = [target.info(now) for target in self.targets.values()]
        return {
            "answers_with": next((info.id for info in infos if info.is_ready), None),
            "candidates": {info.id: msgspec.structs.asdict(info) for info in infos},
            "routed": self.routed,
            "in_hand": self.in_hand,
            "fell_back": self.fell_back,
            "retry_tokens": None if self.bucket is None else round(self.bucket.tokens(now), 3),
            "quarantined": len(self.quarantine.entries(now)),
        }

    # -- what happens to requests

    def arrive(self, route: Route, level: Level, now: float) -> list[Move]:
        """Take a request in. level: what the load allows."""
        self.routed += 1
        self.in_hand += 1
        if level is not Level.FULL and (degradation := self.policy.degradation) is not None:
            route.level = level
            route.request, _ = degraded(route.asked, level, degradation)
        self._place(route, now)
        return self._take()

    def began(self, attempt: Attempt, now: float) -> list[Move]:
        """Take note that an answer has begun to come: from here on it is this model's."""
        route = attempt.route
        if not route.is_over and route.winner is None:
            self._wins(attempt, now)
        return self._take()

    def answered(self, attempt: Attempt, value: Any, now: float) -> list[Move]:
        """Take note that the attempt succeeded. value: the reply; None at the end of a stream."""
        route, target = attempt.route, attempt.target
        if attempt not in target.attempts:
            return []
        if route.winner is None:
            self._wins(attempt, now)
        route.usage = getattr(value, "usage", None) or route.usage
        seconds = now - attempt.began_at
        self._detach(attempt)
        target.is_counted = False
        if target.blamed:  # it answers, so it was not lost: it told of another's loss
            target.blamed.clear()
        circuit = target.circuit
        if circuit is not None:
            circuit.succeeded(attempt.permit, seconds, now)
            if circuit.generation != target.known_generation:
                self._heed_circuit(target, now)
        target.line.release(now, seconds, route.work)
        if self.bucket is not None:
            self.bucket.earn()
        if not self.quarantine.is_empty:
            self.quarantine.absolve(route.fingerprint)
        self._finish(route, Answer(route, value, now))
        if target.line.waiting:
            self._pull(target, now)
        if route.is_canary:
            self._probe(target, now)  # where one isn't enough to close the circuit
        return self._take()

    def failed(self, attempt: Attempt, error: BaseException, now: float) -> list[Move]:
        """Take note that the attempt ended with an error."""
        if attempt not in attempt.target.attempts:
            return []
        route, target = attempt.route, attempt.target
        failure = Failure.of(error)
        self._detach(attempt)
        route.failed(attempt, failure)
        # First of all: where the circuit opens, those who wait are sent on, and not the like of it.
        is_poison = failure.lost_worker and self._is_poison(route, target, failure, now)
        self._count(attempt, attempt.is_fault(failure, now), now)
        target.line.release(now, None)
        target.failed(failure, now, is_refusal=getattr(error, "is_refusal", False))
        if is_poison:
            self._refuse(route, self._poisoned(route), now)
        elif route.is_canary:
            self._finish(route, Refuse(route, failure.error, now))
            # A refusal tells nothing, so it is asked again.
            self._moves.append(LookLater(target, max(SOON, failure.retry_after)))
        elif route.winner is attempt and self._goes_on(route, target, failure):
            self._place(route, now)
        elif route.winner is attempt or (failure.is_final and not self._fits_elsewhere(route)):
            self._refuse(route, route.error(failure.error), now)
        elif not route.attempts:  # else another one may yet answer
            self._fall_back(route, target, failure.cause)
            self._place(route, now)
        self._pull(target, now)
        return self._take()

    def _goes_on(self, route: Route, target: Target, failure: Failure) -> bool:
        """Have another worker go on with a stream whose worker was lost; tell whether one can."""
        if not failure.is_of_worker or self._closing is not None:
            return False
        if not route.goes_on(may_change_model=self.policy.resume == "continue"):
            return False
        told = {"model": target.id, "cause": failure.cause, "tokens": route.tokens_given}
        self._tell(RequestResumed, **told, **route.ids)
        return True

    def left(self, route: Route, now: float) -> list[Move]:
        """Take note that nobody waits for the answer any more, or the deadline has passed."""
        if route.is_over:
            return []
        is_late = now >= route.deadline
        for attempt in tuple(route.attempts):
            target, spent = attempt.target, now - attempt.began_at
            self._detach(attempt)
            self._count(attempt, is_late and attempt.had_time(now), now)
            target.line.release(now, spent if is_late else None)
            self._moves.append(CallOff(attempt))
            self._pull(target, now)
        if route.line is not None:
            route.line.line.leave(route)
            route.line = None
        outcome = InferenceTimeout.kind if is_late else "cancelled"
        self._finish(route, GiveUp(route, outcome, now))
        return self._take()

    def failed_late(self, attempt: Attempt, error: BaseException, now: float) -> list[Move]:
        """Take note that a model failed what it was told to stop: it may yet be its doing."""
        failure = Failure.of(error)
        if failure.lost_worker:
            self._is_poison(attempt.route, attempt.target, failure, now)
        return self._take()

    def due(self, route: Route, now: float) -> list[Move]:
        """Go round the candidates again: the pause is over."""
        if route in self._pausing:
            del self._pausing[route]
            self._place(route, now)
        return self._take()

    def shut_down(self, path: str, reason: str, now: float) -> list[Move]:
        """Let what models have in hand be finished, and refuse all else from here on."""
        self._closing = path, reason
        for target in self.targets.values():
            self._scatter(target, now)
        for route in (*self._pausing, *self._held_back):
            self._place(route, now)
        return self._take()

    # -- where it ends

    def _stuck(self, route: Route, hopeful: list[Target], now: float) -> None:
        """Deal with a request that no model takes now: another round, a wait, or an end."""
        if any(failure.is_retryable for failure in route.round.values()):
            delay, is_owed = self._pause_before_retry(route, now), route.is_owed
            if delay is not None:
                route.rounds += 1
                route.round = {}
                route.stage = Stage.PAUSING
                self._pausing[route] = None
                self._tell(
                    RequestRetried,
                    round=route.rounds,
                    delay=delay,
                    cause=route.last.kind if route.last is not None else "",
                    is_owed=is_owed,
                    **route.ids,
                )
                self._moves.append(Later(route, delay))
                return
        if self._waits_for(route, hopeful, now):
            return
        if self._tries_half(route, now):
            self._place(route, now)
            return
        self._refuse(route, route.all_failed(len(self.targets), **self._hints(route, now)), now)

    def _hints(self, route: Route, now: float) -> dict[str, Any]:
        """Give what a caller who is refused may want to know."""
        suited = [
            target
            for target in self.targets.values()
            if target.spec.suits(route.request, route.is_stream)
        ]
        hints: dict[str, Any] = {}
        if SHED in route.tried.values():
            hints["shed"] = True
        if any(not target.admits(now) for target in suited):
            hints["circuit_state"] = CircuitState.OPEN.value
        if suited:
            soonest = min(target.retry_after(now) for target in suited)
            hints["retry_after"] = round(soonest, 3)
        return hints

    def _pause_before_retry(self, route: Route, now: float) -> float | None:
        """Give the seconds before the next round; None where there is to be none."""
        if self._closing is not None:
            return None
        delay = pause_before_retry(route, self.policy, self.targets, self._random)
        if delay is None or now + delay >= route.deadline:
            return None
        return delay if route.is_owed or self._may_spend(now) else None

    def _tries_half(self, route: Route, now: float) -> bool:
        """Make the request smaller, once, where that may help."""
        degradation, last = self.policy.degradation, route.last
        if (
            degradation is None
            or not degradation.retry_with_half
            or route.was_halved
            or route.level is Level.MINIMAL
            or last is None
            or last.kind not in _MENDED_BY_LESS
            or self._closing is not None
        ):
            return False
        half = halved(route.request)
        if half is None or not self._may_spend(now):
            return False
        route.request = half
        route.was_halved = True
        route.round = {}
        return True

    def _may_spend(self, now: float) -> bool:
        return self.bucket is None or self.bucket.spend(now)

    def _refuse(self, route: Route, error: Exception, now: float) -> None:
        for attempt in tuple(route.attempts):
            self._give_up(attempt, now)
        self._finish(route, Refuse(route, error, now))

    def _finish(self, route: Route, end: Answer | Refuse | GiveUp) -> None:
        if route.stage is Stage.PAUSING:
            self._pausing.pop(route, None)
        self._held_back.pop(route, None)
        route.stage = Stage.OVER
        route.winner = None
        if not route.is_canary:
            self.in_hand -= 1
            self._moves.append(end)

    def _fall_back(self, route: Route, target: Target, cause: str) -> None:
        if len(self.targets) == 1 or target.id not in route.round:
            return  # there is nowhere to fall back to, or it goes to another worker of a pool
        self.fell_back += 1
        self._tell(FellBack, model=target.id, cause=cause, **route.ids)

    def _is_refused(self, route: Route, now: float) -> bool:
        """Refuse what no model is to get; tell whether it was."""
        if self._closing is not None:
            self._refuse(route, ActorStopped(*self._closing), now)
            return True
        if now >= route.deadline:
            late = route.last  # which may say how far the model got
            if not isinstance(late, InferenceTimeout):
                late = InferenceTimeout.after(route.deadline - route.arrived_at)
            self._refuse(route, route.error(late), now)
            return True
        if self.quarantine.is_empty:
            return False
        left = self.quarantine.held(route.fingerprint, now)
        if left is None:
            return False
        self._refuse(route, self._poisoned(route, retry_after=round(left, 3)), now)
        return True
