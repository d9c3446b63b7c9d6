"""The processes below this one, and what it has open, as the kernel tells them (Linux)."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """Name a process. Its start (in the kernel's ticks) tells it from a later one of that pid.

    Its name is no part of it: programs change theirs.
    """

    pid: int
    started: str

    def __str__(self) -> str:
        name, state = (_stat(self.pid) or ["gone", ""])[:2]
        return f"{name} (pid {self.pid}){', which nobody waited for' if state == 'Z' else ''}"

    @property
    def exists(self) -> bool:
        """Tell whether it is there, if only as a zombie."""
        return _find(self.pid) == self


def descendants(pid: int | None = None) -> Iterator[Process]:
    """Give the processes below this one, at any depth; none where the kernel doesn't tell."""
    for child in _children_of(pid or os.getpid()):
        process = _find(child)
        if process is not None:
            yield process
            yield from descendants(child)


def left_after(processes: Iterable[Process], seconds: float) -> list[Process]:
    """Wait until the processes have ended, at most so long; give those that are left."""
    until = time.monotonic() + seconds
    for process in processes:
        try:
            pidfd = os.pidfd_open(process.pid)
        except OSError:
            continue
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.poll(max(0.0, until - time.monotonic()) * 1000)
        finally:
            os.close(pidfd)
    return [process for process in processes if process.exists]


def open_descriptors() -> dict[int, str]:
    """Give what this process has open: by number, what it is; nothing where that isn't told."""
    found = {}
    for number in open_numbers():
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115  (each test pays)
        except OSError:  # closed meanwhile
            continue
    return found


def open_numbers() -> set[int]:
    """Give the numbers alone of what this process has open; nothing where that isn't told."""
    try:
        listed = os.listdir("/proc/self/fd")  # noqa: PTH208  (a Path would hold it open for longer)
    except OSError:
        return set()
    return {number for number in map(int, listed) if _is_open(number)}


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:  # the one that read the listing
        return False
    return True


def _children_of(pid: int) -> list[int]:
    found: list[int] = []
    # Threads and processes end while this looks; a glob would raise then.
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text(encoding="ascii").split())
    return found


def _find(pid: int) -> Process | None:
    fields = _stat(pid)
    return None if fields is None else Process(pid, fields[20])


def _stat(pid: int) -> list[str] | None:
    """Give the fields of /proc/PID/stat from the name on; None where it is gone."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    head, _, rest = said.rpartition(")")
    return [head.partition("(")[2], *rest.split()]
