"""Events of pools: replicas that come and go, and rollouts."""

from __future__ import annotations

from failsoft.messages.events import Event


class ReplicaAdded(Event, frozen=True, kw_only=True):
    """A replica that was started while the pool ran is ready. replicas: that there are now."""

    replica: str
    replicas: int


class ReplicaRemoved(Event, frozen=True, kw_only=True):
    """A replica has finished what it had in hand, and ended. replicas: that there are now."""

    replica: str
    replicas: int


class ReplicaDenied(Event, frozen=True, kw_only=True):
    """A replica that was to be added didn't come to be ready, and was taken out again."""

    replica: str
    reason: str


class RolloutEnded(Event, frozen=True, kw_only=True):
    """A rollout is over. reason: why it was given up; empty where all replicas were replaced."""

    replicas: int
    seconds: float
    reason: str
