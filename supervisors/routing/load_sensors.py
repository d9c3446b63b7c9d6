"""Load sensors: the share of CPUs, memory and device memory in use, from 0 to 1.

In a container that is limited (cgroup v2) its own limits count, not the machine's. The machine is
asked through psutil, an optional dependency.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from failsoft.messages.events import (
    ActorFailed,
    ActorStopped,
    DeviceMemoryReported,
    Event,
    WorkerEnded,
)

log = structlog.get_logger("failsoft.load")

Sensor = Callable[[], float | None]

# Seconds for which what a model told of its device's memory counts.
FRESH_FOR = 10.0


class GuardedSensor:
    """Read a sensor that may fail: it knows nothing then, and that is logged once."""

    __slots__ = ("_is_logged", "_name", "_read")

    def __init__(self, name: str, read: Sensor) -> None:
        self._name = name
        self._read: Sensor | None = read
        self._is_logged = False

    def share(self) -> float | None:
        """Give the share, within 0 and 1; None where it isn't known."""
        if self._read is None:
            return None
        try:
            share = self._read()
            if share is None or not math.isfinite(share):
                return None
            return min(1.0, max(0.0, share))
        except ImportError as error:
            self._read = None  # it won't be there the next time either
            self._log(f"{error}; install failsoft[serve] to have it")
        except Exception as error:  # whatever it raises, the load is only known less well
            self._log(f"{type(error).__name__}: {error}")
        return None

    def _log(self, reason: str) -> None:
        if not self._is_logged:
            self._is_logged = True
            log.warning("sensor.failed", sensor=self._name, reason=reason)

    def __repr__(self) -> str:
        return f"<GuardedSensor {self._name}{'' if self._read else ', absent'}>"


def machine_sensors() -> dict[str, Sensor]:
    """Make the sensors of this machine, or of the container around this process."""
    return {"cpu": CpuShare(), "memory": MemoryShare()}


# -- device memory


class DeviceMemory:
    """Know the largest share of a device's memory in use, as the models' workers told it."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, float]] = {}

    def hear(self, event: Event) -> None:
        """Take note of a report; forget those of an actor that ended, or whose worker did."""
        match event:
            case DeviceMemoryReported(total_bytes=total) if total > 0:
                self._told[event.path] = (min(1.0, event.used_bytes / total), event.at)
            case ActorStopped() | ActorFailed() | WorkerEnded():
                self._told.pop(event.path, None)

    def share(self, now: float) -> float | None:
        """Give the largest share told in the last seconds; None where nothing was."""
        stale = [path for path, (_, at) in self._told.items() if now - at > FRESH_FOR]
        for path in stale:
            del self._told[path]
        return max((share for share, _ in self._told.values()), default=None)

    def __repr__(self) -> str:
        return f"<DeviceMemory of {len(self._told)} models>"


# -- CPU and memory


def own_cgroups(
    told: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")
) -> tuple[Path, ...]:
    """Give the folders of the cgroups (v2) that this process is in, from its own to the root.

    Each may have limits of its own; one that can't be seen from in here has no files.
    """
    own = next((line[3:] for line in _lines(told) if line.startswith("0::/")), None)
    if own is None:
        return ()
    if ".." in own:  # it lies outside of what can be seen from this container
        return (root,)
    here = root / own.strip("/")
    return tuple(level for level in (here, *here.parents) if level.is_relative_to(root))


class CpuShare:
    """Give the share of the CPUs in use since the last call; None at the first one.

    cgroups: the folders whose limits count; cpus: how many the machine has.
    now: tells the seconds; real ones, as the kernel counts.
    """

    def __init__(
        self,
        cgroups: Sequence[Path] | None = None,
        *,
        cpus: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cgroups = own_cgroups() if cgroups is None else tuple(cgroups)
        self._cpus = cpus or os.cpu_count() or 1
        self._now = now
        self._before: dict[str, _CpuTime] = {}

    def __call__(self) -> float | None:
        before, self._before = self._before, self._read()
        shares = (time.share_since(before.get(of)) for of, time in self._before.items())
        return max((share for share in shares if share is not None), default=None)

    def _read(self) -> dict[str, _CpuTime]:
        limited = {
            str(level): read
            for level in self._cgroups
            if (read := _cpu_time(level, self._cpus, self._now())) is not None
        }
        return limited or {"machine": _machine_cpu_time()}


class MemoryShare:
    """Give the share of the memory that can't be had any more.

    cgroups: the folders whose limits count; total_bytes: how much memory the machine has.
    """

    def __init__(
        self, cgroups: Sequence[Path] | None = None, *, total_bytes: int | None = None
    ) -> None:
        self._cgroups = own_cgroups() if cgroups is None else tuple(cgroups)
        self._total = total_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def __call__(self) -> float | None:
        shares = [_memory_share(level, self._total) for level in self._cgroups]
        limited = [share for share in shares if share is not None]
        return max(limited) if limited else _machine_memory_share()


class _CpuTime(msgspec.Struct, frozen=True):
    """Hold the CPU seconds used so far, and those that there were, at a limit in CPUs."""

    limit: float
    used: float
    available: float

    def share_since(self, before: _CpuTime | None) -> float | None:
        if before is None or before.limit != self.limit or before.available >= self.available:
            return None
        return (self.used - before.used) / (self.available - before.available)


def _cpu_time(level: Path, cpus: int, now: float) -> _CpuTime | None:
    """Read the CPU time of a cgroup; None where it has no limit below the machine's."""
    quota, _, period = _text(level / "cpu.max").partition(" ")
    used = _field(level / "cpu.stat", "usage_usec")
    if not quota.isdigit() or used is None:
        return None
    limit = int(quota) / int(period)
    return _CpuTime(limit, used / 1e6, now * limit) if limit < cpus else None


def _machine_cpu_time() -> _CpuTime:
    import psutil

    # Not psutil.cpu_percent: all of a process share its window.
    times = psutil.cpu_times()
    of_guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    available = sum(times) - of_guests  # the guests' are among the others
    idle = times.idle + getattr(times, "iowait", 0.0)
    return _CpuTime(0.0, available - idle, available)


def _memory_share(level: Path, total: int) -> float | None:
    """Read the memory of a cgroup; None where it has no limit below the machine's."""
    limit, used = _text(level / "memory.max"), _text(level / "memory.current")
    if not limit.isdigit() or not used.isdigit() or not 0 < int(limit) < total:
        return None
    # Files that were read a while ago are in memory only as long as there is room.
    cached = _field(level / "memory.stat", "inactive_file") or 0
    return max(0, int(used) - cached) / int(limit)


def _machine_memory_share() -> float:
    import psutil

    return psutil.virtual_memory().percent / 100


def _text(path: Path) -> str:
    """Read a file of the kernel's; empty where it can't be read."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()


def _field(path: Path, name: str) -> int | None:
    found = (line.split() for line in _lines(path))
    return next((int(words[1]) for words in found if words[:1] == [name]), None)
