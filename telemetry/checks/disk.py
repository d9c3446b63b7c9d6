"""The disk check: room for logs, caches and models."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from failsoft.telemetry.checks.in_thread import in_thread
from failsoft.telemetry.health_check import HealthCheck, Unhealthy

_GIB = 2**30


def disk_check(
    path: Path | str = ".",
    *,
    least_free: float = 0.1,
    critical: bool = False,
    interval: float = 60.0,
    timeout: float = 5.0,
) -> HealthCheck:
    """Fail where less than ``least_free`` (a share) of the disk that holds ``path`` is free."""
    if not 0 < least_free < 1:
        raise ValueError(f"least_free is a share, over 0 and under 1; it is {least_free}")
    run = in_thread(functools.partial(_look, path, least_free))
    return HealthCheck(f"disk {path}", run, critical, interval, timeout)


def _look(path: Path | str, least_free: float) -> None:
    usage = shutil.disk_usage(path)
    if usage.free < least_free * usage.total:
        raise Unhealthy(
            f"{usage.free / usage.total:.1%} of the disk at {path} is free "
            f"({usage.free / _GIB:.1f} GiB), less than {least_free:.0%}"
        )
