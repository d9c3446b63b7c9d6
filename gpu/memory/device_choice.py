"""Choose among devices, one worker at a time. No torch is needed for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path


def choose_device(free: Sequence[tuple[int, int]]) -> int:
    """Give the index with the most free bytes, the lowest of several. Pure.

    free: of each device its index, and its free bytes.
    """
    index, _ = min(free, key=lambda device: (-device[1], device[0]))
    return index


@contextlib.contextmanager
def one_chooses(folder: Path | None = None) -> Iterator[None]:
    """Have the block run in one process of this user at a time, on this machine.

    Two that chose at once would take the same device. The kernel lets go of the lock when its
    holder dies. Where no lock can be had, the block runs without.

    folder: where the lock is; None for the machine's own for temporary files.
    """
    path = (folder or Path(tempfile.gettempdir())) / f"failsoft-{os.getuid()}-devices.lock"
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        lock = os.open(path, flags, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
