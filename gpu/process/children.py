"""This process's children: who they are, and to be woken when one ends. Standard library only."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def wake_on_exit() -> int:
    """Give a descriptor that is readable once a child has ended, until it is drained."""
    wake, write_end = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(write_end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    return wake


def drain(descriptor: int) -> None:
    """Read all that is there."""
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, 4096):
            pass


def children() -> list[int]:
    """Give this process's children, where the kernel tells them."""
    pid = os.getpid()
    try:
        listing = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(child) for child in listing.split()]
