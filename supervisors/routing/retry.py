"""Retry: how long a request waits before it goes round the models again."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.route import Route
from failsoft.supervisors.routing.target import Target


def pause_before_retry(
    route: Route, policy: RoutePolicy, targets: Mapping[str, Target], random: Random
) -> float | None:
    """Give the seconds before the next round; None where there is to be none.

    A pause gives a model time to recover. One whose worker was lost over the request, and that is
    ready all the same, has a new worker by now: a spare that stood by. It needs none.
    """
    if route.rounds >= policy.retries:
        return None
    failures = {id: failure for id, failure in route.round.items() if failure.is_retryable}
    if any(f.is_of_worker and id in targets and targets[id].is_ready for id, f in failures.items()):
        return 0.0
    delay = policy.retry_backoff.delay(route.rounds + 1, random)
    return max(delay, min(failure.retry_after for failure in failures.values()))
