"""Calm: what is there when nobody asks and every model is ready; and what is too much."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import msgspec

from bench.storm.ground import Here
from bench.storm.tree import model_paths
from failsoft.actors import System
from failsoft.gpu.memory.process_memory import rss_bytes
from failsoft.testing.processes import Process, descendants, left_after, open_numbers

# Seconds in which every model is ready again, and a lost worker's process is gone.
_READY_WITHIN = 60.0
_GONE_WITHIN = 2.0


class Holdings(msgspec.Struct, frozen=True):
    """Count what this process holds. not_ready: models that don't come back."""

    descriptors: int
    rss_bytes: int
    orphans: tuple[str, ...]
    not_ready: tuple[str, ...]


class Family:
    """Remember every process that there was below this one."""

    def __init__(self, ground: Here) -> None:
        self._ground = ground
        self._seen: set[Process] = set(descendants())

    def __repr__(self) -> str:
        return f"<Family {len(self._seen)} seen>"

    def note(self) -> None:
        """Take note of those that there are now, and forget those that have ended."""
        self._seen = {each for each in self._seen if each.exists} | set(descendants())

    def orphans(self) -> tuple[str, ...]:
        """Give those that live on outside of this process's family."""
        left = left_after(self._seen - set(descendants()), _GONE_WITHIN)
        living = (str(each) for each in left if not _has_ended(each))
        return tuple(each for each in living if self._ground.is_left(each))


def _has_ended(process: Process) -> bool:
    """Tell whether it has ended, though whoever adopted it hasn't waited for it yet."""
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


async def holdings(system: System, family: Family, ground: Here) -> Holdings:
    """Wait until all models are ready, and take stock."""
    not_ready = await _settle(system, ground)
    gc.collect()
    return Holdings(len(open_numbers()), rss_bytes(), family.orphans(), not_ready)


async def _settle(system: System, ground: Here) -> tuple[str, ...]:
    """Give the models that aren't ready in time, with their spares, and workers too many."""
    until = system.clock.now() + _READY_WITHIN
    # Not all of it is told by events.
    while (restless := _restless(system, ground)) and system.clock.now() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return restless


def _restless(system: System, ground: Here) -> tuple[str, ...]:
    # One that is being restarted shows nothing.
    shown = {node.path: node.shows for node in system.tree()[0].walk()}
    models = {path: shown.get(path, {}) for path in model_paths()}
    unready = [path for path, shows in models.items() if shows.get("model_state") != "ready"]
    spares = [shows["standby"] for shows in models.values() if shows.get("standby") is not None]
    unready += [f"a spare: {state}" for state in spares if state != "ready"]
    if not unready and (said := ground.miscounted(system, len(models) + len(spares))):
        unready.append(said)
    return tuple(unready)
