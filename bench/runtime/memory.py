"""What an idle actor takes, in a process of its own: ``python -m bench.runtime.memory``."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import msgspec

from bench.runtime.samples import Idle
from failsoft.actors import System

_RESIDENT = 20_000
_TRACED = 10_000


class Memory(msgspec.Struct, frozen=True):
    """Tell what an idle actor takes: traced by Python, and of the process's resident memory."""

    traced_bytes: float
    resident_bytes: float


def idle_actor() -> Memory:
    """Measure where nothing else was freed before, which an actor could have."""
    measuring = [sys.executable, "-m", "bench.runtime.memory"]
    said = subprocess.run(measuring, check=True, stdout=subprocess.PIPE).stdout
    return msgspec.json.decode(said, type=Memory)


async def _measure() -> Memory:
    async with System() as system:
        await _spawn_idle(system, "before", 100)
        gc.collect()
        before = _resident()
        await _spawn_idle(system, "resident", _RESIDENT)
        gc.collect()
        resident = (_resident() - before) / _RESIDENT
    async with System() as system:
        await _spawn_idle(system, "before", 100)
        gc.collect()
        tracemalloc.start()
        await _spawn_idle(system, "traced", _TRACED)
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0] / _TRACED
        tracemalloc.stop()
    return Memory(traced, resident)


async def _spawn_idle(system: System, name: str, count: int) -> None:
    for number in range(count):
        await system.spawn(Idle, f"{name}-{number}")


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_measure())))
