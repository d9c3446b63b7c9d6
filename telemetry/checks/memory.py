"""The memory checks: of the models' devices, and of this machine."""

from __future__ import annotations

from collections.abc import Callable

from failsoft.actors import System
from failsoft.telemetry.health_check import CheckUnavailable, HealthCheck, Unhealthy
from failsoft.telemetry.probes import nodes, shortened


def gpu_memory_check(
    *, most: float = 0.95, critical: bool = False, interval: float = 10.0
) -> HealthCheck:
    """Fail where more than ``most`` (a share) of a device's memory is used, by whomever.

    It is what the models' workers told last.
    """
    _check_share(most)

    async def run(system: System) -> None:
        full = tuple(
            f"{used / total:.0%} of the memory of {path}'s device is used"
            for path, used, total in _devices(system)
            if used > most * total
        )
        if full:
            raise Unhealthy("; ".join(shortened(full)))

    return HealthCheck("gpu memory", run, critical, interval)


def host_memory_check(
    *,
    most: float = 0.95,
    share: Callable[[], float | None] | None = None,
    critical: bool = False,
    interval: float = 10.0,
) -> HealthCheck:
    """Fail where more than ``most`` (a share) of the machine's memory is used.

    share: tells the share in use, from 0 to 1, None where it isn't known; say a container's own,
        by ``failsoft.supervisors``' sensor. Without it, psutil is asked of the whole machine.

    Raise CheckUnavailable where psutil is needed and missing.
    """
    _check_share(most)
    read = share or _psutil_share()

    async def run(_system: System) -> None:
        used = read()
        if used is not None and used > most:
            raise Unhealthy(f"{used:.0%} of the memory is used, more than {most:.0%}")

    return HealthCheck("host memory", run, critical, interval)


def _check_share(most: float) -> None:
    if not 0 < most < 1:
        raise ValueError(f"most is a share, over 0 and under 1; it is {most}")


def _devices(system: System) -> list[tuple[str, int, int]]:
    return [
        (node.path, node.shows["device_used_bytes"], node.shows["device_total_bytes"])
        for node in nodes(system.tree())
        if node.shows.get("device_total_bytes")
    ]


def _psutil_share() -> Callable[[], float]:
    try:
        import psutil
    except ImportError as error:
        raise CheckUnavailable(
            "host_memory_check needs psutil: run pip install 'failsoft[serve]', or give it a "
            "share of your own"
        ) from error
    return lambda: float(psutil.virtual_memory().percent) / 100
