"""End all processes of a session, wherever they hang in the tree of processes."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

# What is being forked during one round is found in the next.
_ROUNDS = 10


def end_session(leader: int) -> None:
    """Kill every process of the session of ``leader``, a child that has ended and is not reaped.

    Its number can't be another session's before it is reaped.
    """
    for _ in range(_ROUNDS):
        members = list(_members(leader))
        if not members:
            return
        for pid in members:
            with contextlib.suppress(OSError):
                _kill(pid, leader)


def _kill(pid: int, leader: int) -> None:
    pidfd = os.pidfd_open(pid)
    try:
        # Asked again: the pid may have become another process's in between.
        if _session_of(pid) == leader:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    finally:
        os.close(pidfd)


def _members(leader: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != leader:
            pid = int(entry.name)
            if _session_of(pid) == leader:
                yield pid


def _session_of(pid: int) -> int | None:
    """Give the session of a process that lives; None where it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, _, _, session = stat.rpartition(")")[2].split()[:4]
    return None if state in "ZX" else int(session)
