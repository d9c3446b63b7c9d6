"""Supervision: strategies, child specs, restart intensity, backoff; routing with fallback."""

from failsoft.supervisors.backoff import NO_WAIT, Backoff
from failsoft.supervisors.errors import DuplicateChild, IntensityExceeded, StartRolledBack
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.router import Candidate, Router, candidate, model, router
from failsoft.supervisors.spec import BRUTAL, INFINITE, ChildSpec, Restart, Strategy, child
from failsoft.supervisors.supervisor import Supervisor, supervisor

__all__ = [
    "BRUTAL",
    "INFINITE",
    "NO_WAIT",
    "Backoff",
    "Candidate",
    "ChildSpec",
    "DuplicateChild",
    "Intensity",
    "IntensityExceeded",
    "Restart",
    "Router",
    "StartRolledBack",
    "Strategy",
    "Supervisor",
    "candidate",
    "child",
    "model",
    "router",
    "supervisor",
]
