"""How much memory the machine has, or the container around this process. Bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/")
# How cgroups v1 say that there is no limit.
_NO_LIMIT_FROM = 1 << 60


class MachineMemory(NamedTuple):
    """Tell what can still be had, and what there is in all; both 0 where it isn't known."""

    available: int
    total: int


class _Names(NamedTuple):
    """Know the files of a version of cgroups: its limit, its usage, and the cache in that."""

    limit: str
    usage: str
    cache: str


_V2 = _Names("memory.max", "memory.current", "inactive_file")
_V1 = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def machine_memory(root: Path = _ROOT) -> MachineMemory:
    """Give the tightest of the machine's memory and the limits of its cgroups.

    root: the folder that has ``proc`` and ``sys``.
    """
    levels = [*_of_machine(root / "proc/meminfo"), *_of_cgroups(root)]
    return min(levels, default=MachineMemory(0, 0))


def _of_machine(meminfo: Path) -> Iterator[MachineMemory]:
    fields = _fields(meminfo)
    if "MemAvailable:" in fields and "MemTotal:" in fields:
        yield MachineMemory(fields["MemAvailable:"] * 1024, fields["MemTotal:"] * 1024)


def _of_cgroups(root: Path) -> Iterator[MachineMemory]:
    """Give the memory of each cgroup of this process that has a limit, of both versions."""
    mounted = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, own = line.split(":", 2)
        if controllers == "":
            yield from _of_levels(mounted, own, _V2)
        elif "memory" in controllers.split(","):
            yield from _of_levels(mounted / "memory", own, _V1)


def _of_levels(mounted: Path, own: str, names: _Names) -> Iterator[MachineMemory]:
    """Give what the cgroup ``own`` and those above it have, as far as they can be seen from here.

    A container may be told its path outside, and sees its own cgroup as the top.
    """
    here = mounted / own.strip("/")
    levels = (here, *here.parents) if ".." not in own else (mounted,)
    for level in levels:
        if level.is_relative_to(mounted):
            yield from _of_level(level, names)


def _of_level(level: Path, names: _Names) -> Iterator[MachineMemory]:
    limit = _text(level / names.limit)
    if not limit.isdigit() or int(limit) >= _NO_LIMIT_FROM:
        return
    usage = _text(level / names.usage)
    if usage.isdigit():
        # Files that were read a while ago are in memory only as long as there is room.
        kept = int(usage) - _fields(level / "memory.stat").get(names.cache, 0)
        yield MachineMemory(max(0, int(limit) - max(0, kept)), int(limit))


def _fields(path: Path) -> dict[str, int]:
    """Read the kernel's lines of a name and a number each."""
    lines = (line.split() for line in _text(path).splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}


def _text(path: Path) -> str:
    """Read a file of the kernel's; empty where it can't be read."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
