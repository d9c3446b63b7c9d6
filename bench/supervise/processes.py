"""The processes below one, and which of them are left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

import psutil


def below(pid: int) -> list[psutil.Process]:
    """Give the process and all below it; none where it is gone."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Tell whether it is there, and more of it than its exit status."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def left_of(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Give those that are there after so many seconds."""
    until = time.monotonic() + seconds
    left = [process for process in processes if is_alive(process)]
    while left and time.monotonic() < until:
        time.sleep(0.05)
        left = [process for process in left if is_alive(process)]
    return left


def end(processes: Iterable[psutil.Process]) -> None:
    """End what is left of them."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
