"""Built-in health checks: each a function that gives a ``HealthCheck``."""

from failsoft.telemetry.checks.default import default_checks
from failsoft.telemetry.checks.disk import disk_check
from failsoft.telemetry.checks.in_thread import in_thread
from failsoft.telemetry.checks.loop_lag import loop_lag_check
from failsoft.telemetry.checks.memory import gpu_memory_check, host_memory_check
from failsoft.telemetry.checks.model import model_check
from failsoft.telemetry.checks.tree import models_check, tree_check
from failsoft.telemetry.checks.workers import workers_check

__all__ = [
    "default_checks",
    "disk_check",
    "gpu_memory_check",
    "host_memory_check",
    "in_thread",
    "loop_lag_check",
    "model_check",
    "models_check",
    "tree_check",
    "workers_check",
]
