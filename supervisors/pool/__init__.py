"""Pools: several workers of one model, behind one name."""

from failsoft.supervisors.pool.autoscale import Autoscale
from failsoft.supervisors.pool.choosing import Affinity
from failsoft.supervisors.pool.orders import (
    PoolBusy,
    ReplicaFailed,
    Resize,
    Rollout,
    RolloutFailed,
)
from failsoft.supervisors.pool.pool import Pool, pool, replica
from failsoft.supervisors.pool.replicated import Recipe

__all__ = [
    "Affinity",
    "Autoscale",
    "Pool",
    "PoolBusy",
    "Recipe",
    "ReplicaFailed",
    "Resize",
    "Rollout",
    "RolloutFailed",
    "pool",
    "replica",
]
