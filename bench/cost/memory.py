"""The memory of a service's processes, by what each is for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

# What they call themselves; the kernel keeps fifteen characters.
_PARTS = {
    "failsoft-reaper": "reaper",
    "failsoft-templ": "template",
    "failsoft-worker": "worker",
}


class Memory(msgspec.Struct, frozen=True):
    """Tell what a process holds, in MiB.

    resident: all that is mapped, and in memory. proportional: of what it shares with others, its
    part alone; so these can be summed up.
    """

    part: str
    resident: float
    proportional: float


def memory_of(pid: int) -> Iterator[Memory]:
    """Give the service's, and that of each process below it that says what it is for."""
    yield _memory("service", pid)
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(OSError):
            called = Path(f"/proc/{process.pid}/comm").read_text().strip()
            if called in _PARTS:
                yield _memory(_PARTS[called], process.pid)


def _memory(part: str, pid: int) -> Memory:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    told = dict(line.split(":", 1) for line in rollup if ":" in line)
    return Memory(part, *(int(told[key].split()[0]) / 1024 for key in ("Rss", "Pss")))
