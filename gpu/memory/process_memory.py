"""How much memory this process has, and how much it has moved, as the kernel counts. Bytes."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SELF = Path("/proc/self")


def rss_bytes() -> int:
    """Give the resident memory of this process."""
    # Unbuffered, and not as text: each beat of each worker reads this.
    with (_SELF / "statm").open("rb", buffering=0) as statm:
        return int(statm.read().split()[1]) * _PAGE


def moved_bytes(task: Path = _SELF) -> int:
    """Give how much this process has read and written so far; 0 where it isn't known.

    task: its folder in /proc, or that of one of its threads.
    """
    try:
        lines = (task / "io").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended, or the kernel doesn't tell
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("rchar:", "wchar:")))
