"""The checks that a tree has where nobody says otherwise."""

from __future__ import annotations

from pathlib import Path

from failsoft.telemetry.checks.disk import disk_check
from failsoft.telemetry.checks.loop_lag import loop_lag_check
from failsoft.telemetry.checks.memory import gpu_memory_check, host_memory_check
from failsoft.telemetry.checks.model import model_check
from failsoft.telemetry.checks.tree import models_check, tree_check
from failsoft.telemetry.checks.workers import workers_check
from failsoft.telemetry.health_check import HealthCheck


def default_checks(*models: str, disk: Path | str = ".") -> tuple[HealthCheck, ...]:
    """Give all built-in checks.

    models: paths of text models, each of which gets a canary. disk: a folder on the disk.
    Only ``models``, that there is one to ask for each router, is critical.

    Raise CheckUnavailable without psutil.
    """
    return (
        models_check(),
        tree_check(),
        workers_check(),
        gpu_memory_check(),
        host_memory_check(),
        disk_check(disk),
        loop_lag_check(),
        *(model_check(path) for path in models),
    )
