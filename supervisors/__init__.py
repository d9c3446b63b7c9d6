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
from failsoft.supervisors.replay import ActorView, Replay, replayed
from failsoft.supervisors.router import Candidate, Router, candidate, model, router
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
    "AutoShutdown",
    "Backoff",
    "Candidate",
    "ChildAlreadyPresent",
    "ChildAlreadyStarted",
    "ChildCounts",
    "ChildInfo",
    "ChildNotFound",
    "ChildRestarting",
    "ChildRunning",
    "ChildSpec",
    "CountChildren",
    "DeleteChild",
    "DuplicateChild",
    "DynamicSupervisor",
    "Intensity",
    "IntensityExceeded",
    "NotForDynamic",
    "Replay",
    "Restart",
    "RestartChild",
    "Router",
    "StartChild",
    "StartChildWith",
    "StartRolledBack",
    "Strategy",
    "Supervisor",
    "TerminateChild",
    "TooManyChildren",
    "WhichChildren",
    "candidate",
    "child",
    "dynamic_supervisor",
    "model",
    "replayed",
    "router",
    "supervisor",
    "template",
]
