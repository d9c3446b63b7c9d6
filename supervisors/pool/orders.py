"""What can be asked of a pool while it runs, and what it can answer went wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from failsoft.actors import Actor
from failsoft.actors.errors import ActorError
from failsoft.messages import Control, Request


class Rollout(Request[int], Control, frozen=True):
    """Replace all replicas, one at a time; answered with their number once all are replaced.

    A new one has come, and answered the canary where there is one, before an old one gets no more
    requests, finishes what it has in hand, and ends. Refused with PoolBusy, and with RolloutFailed
    where a new one failed; then all are as they were before.

    start: makes the new replicas; None: they are made as those before.
    canary: a request that each new one is to answer well before it gets others.
    ready_limit: seconds that a new one may take until then.
    """

    start: Callable[[], Actor] | None = None
    canary: Request[Any] | None = None
    ready_limit: float = 600.0

    def __post_init__(self) -> None:
        _check_limit(self.ready_limit)


class Resize(Request[int], Control, frozen=True):
    """Have a pool be of so many replicas; answered with that number once it is.

    Refused with PoolBusy, with ValueError for less than one, and with ReplicaFailed where one that
    was added didn't come to be ready. The pool stays as large as it got.
    """

    replicas: int
    ready_limit: float = 600.0

    def __post_init__(self) -> None:
        _check_limit(self.ready_limit)


def _check_limit(seconds: float) -> None:
    if not 0 < seconds < math.inf:
        raise ValueError(f"ready_limit must be over 0 s, and finite; it is {seconds}")


class PoolBusy(ActorError):
    """Tell that a pool is being rolled out or resized: wait until that is done."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path} is being {what}; wait until that is done")
        self.path = path


class ReplicaFailed(ActorError):
    """Tell that a replica that was to be added didn't come to be ready, and why."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path} could not be given another replica: {why}")
        self.path = path
        self.why = why


class RolloutFailed(ActorError):
    """Tell that a new replica failed, and why.

    is_mixed: those that had been replaced by then could not all be replaced back.
    """

    def __init__(self, path: str, why: str, is_mixed: bool) -> None:
        now = "some replicas are new, some old" if is_mixed else "all replicas are as they were"
        super().__init__(f"the rollout of {path} was given up: {why}; {now}")
        self.path = path
        self.why = why
        self.is_mixed = is_mixed
