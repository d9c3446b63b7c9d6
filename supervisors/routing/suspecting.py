"""Suspecting: requests that take workers down; the third part of the dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from failsoft.messages import InferenceError, PoisonedRequest
from failsoft.messages.events import RequestQuarantined
from failsoft.supervisors.routing.candidate import Candidate
from failsoft.supervisors.routing.failure import Failure
from failsoft.supervisors.routing.poison import Quarantine
from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.route import Route
from failsoft.supervisors.routing.target import Target
from failsoft.supervisors.routing.tending import Tending


class Suspecting(Tending):
    """Keep account of which requests were in work when workers were lost."""

    def __init__(self, candidates: Sequence[Candidate], policy: RoutePolicy) -> None:
        super().__init__(candidates, policy)
        self.quarantine = Quarantine(policy.poison)

    def _is_poison(self, route: Route, target: Target, failure: Failure, now: float) -> bool:
        """Blame the request for a lost worker; tell whether that makes it one too many."""
        poison = self.policy.poison
        is_held = self.quarantine.held(route.fingerprint, now) is not None
        # However many like it were in work there, it was one worker.
        blamed = (failure.worker, route.fingerprint)
        is_new = blamed not in target.blamed
        if len(target.blamed) >= poison.most:  # it is neither restarted nor answers anybody
            target.blamed.clear()
        target.blamed.add(blamed)
        if is_new and self.quarantine.blame(route.fingerprint, now, route.kind):
            is_held = True
            self._tell(
                RequestQuarantined,
                fingerprint=route.fingerprint,
                request=route.kind,
                workers_lost=poison.workers_lost,
                seconds=poison.seconds,
                **route.ids,
            )
            self._refuse_twins(route, now)
        return is_held or route.workers_lost >= poison.workers_lost

    def _refuse_twins(self, route: Route, now: float) -> None:
        """Take the like of it out of work: at a model that is ready, it is about to cost that."""
        for target in self.targets.values():
            for attempt in tuple(target.attempts) if target.is_ready else ():
                twin = attempt.route
                is_twin = twin is not route and twin.fingerprint == route.fingerprint
                if is_twin and not twin.is_over:
                    self._refuse(twin, self._poisoned(twin), now)

    def _poisoned(self, route: Route, **details: Any) -> InferenceError:
        error = PoisonedRequest(
            "Requests like this one were in work when workers were lost; it is not tried again. "
            "Change the prompt.",
            details={
                "tried_models": dict(route.tried),
                "fingerprint": route.fingerprint,
                **details,
            },
        )
        error.__cause__ = route.last
        return route.error(error)
