"""Supervision: strategies, child specs, restart intensity, backoff; routing with fallback."""

from failsoft.supervisors.backoff import NO_WAIT, Backoff
from failsoft.supervisors.dynamic import (
    DynamicSupervisor,
    StartChildWith,
    dynamic_supervisor,
    template,
)
from failsoft.supervisors.errors import (
    ChildAlreadyPresent,
    ChildAlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    DuplicateChild,
    IntensityExceeded,
    NotForDynamic,
    StartRolledBack,
    TooManyChildren,
)
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.management import (
    ChildCounts,
    ChildInfo,
    CountChildren,
    DeleteChild,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from failsoft.supervisors.pool import (
    Affinity,
    Autoscale,
    Pool,
    PoolBusy,
    Recipe,
    ReplicaFailed,
    Resize,
    Rollout,
    RolloutFailed,
    pool,
    replica,
)
from failsoft.supervisors.replay import ActorView, Replay, replayed
from failsoft.supervisors.routing.admission import Admission
from failsoft.supervisors.routing.breaker import Breaker, CountWindow, TimeWindow
from failsoft.supervisors.routing.budget import Budget
from failsoft.supervisors.routing.candidate import Candidate, candidate, model, remote
from failsoft.supervisors.routing.degradation import Degradation
from failsoft.supervisors.routing.hedge import Hedge
from failsoft.supervisors.routing.limit import Limit
from failsoft.supervisors.routing.load import ForceDegradation, GetLoad, LoadActor, LoadReport
from failsoft.supervisors.routing.operate import (
    AwaitIdle,
    ClearQuarantine,
    DrainCandidate,
    ForceBreaker,
    ListQuarantine,
    OrderCandidates,
    ResetBreaker,
    WhichCandidates,
)
from failsoft.supervisors.routing.poison import Poison, QuarantineEntry
from failsoft.supervisors.routing.policy import RoutePolicy
from failsoft.supervisors.routing.router import Router, router
from failsoft.supervisors.routing.target import CandidateInfo
from failsoft.supervisors.spec import (
    BRUTAL,
    INFINITE,
    AutoShutdown,
    ChildSpec,
    Restart,
    Strategy,
    child,
)
from failsoft.supervisors.supervisor import Supervisor, supervisor

__all__ = [
    "BRUTAL",
    "INFINITE",
    "NO_WAIT",
    "ActorView",
    "Admission",
    "Affinity",
    "AutoShutdown",
    "Autoscale",
    "AwaitIdle",
    "Backoff",
    "Breaker",
    "Budget",
    "Candidate",
    "CandidateInfo",
    "ChildAlreadyPresent",
    "ChildAlreadyStarted",
    "ChildCounts",
    "ChildInfo",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "ClearQuarantine",
    "CountChildren",
    "CountWindow",
    "Degradation",
    "DeleteChild",
    "DrainCandidate",
    "DuplicateChild",
    "DynamicSupervisor",
    "ForceBreaker",
    "ForceDegradation",
    "GetLoad",
    "Hedge",
    "Intensity",
    "IntensityExceeded",
    "Limit",
    "ListQuarantine",
    "LoadActor",
    "LoadReport",
    "NotForDynamic",
    "OrderCandidates",
    "Poison",
    "Pool",
    "PoolBusy",
    "QuarantineEntry",
    "Recipe",
    "Replay",
    "ReplicaFailed",
    "ResetBreaker",
    "Resize",
    "Restart",
    "RestartChild",
    "Rollout",
    "RolloutFailed",
    "RoutePolicy",
    "Router",
    "StartChild",
    "StartChildWith",
    "StartRolledBack",
    "Strategy",
    "Supervisor",
    "TerminateChild",
    "TimeWindow",
    "TooManyChildren",
    "WhichCandidates",
    "WhichChildren",
    "candidate",
    "child",
    "dynamic_supervisor",
    "model",
    "pool",
    "remote",
    "replayed",
    "replica",
    "router",
    "supervisor",
    "template",
]
