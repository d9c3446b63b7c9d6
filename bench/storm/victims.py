"""The processes that can be hit now, and in what moment of their lives each is."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from failsoft.actors import System, TreeNode
from failsoft.messages.events import WorkerEnded, WorkerSpawned
from failsoft.testing.processes import descendants

_MOMENTS = {
    "starting": "loading",
    "loading": "loading",
    "warming": "loading",
    "ready": "idle",
    "busy": "generating",
    "draining": "stopping",
}


class Victims:
    """Know a system's worker processes."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._workers: set[int] = set()
        system.events.subscribe(self._hear, WorkerSpawned, WorkerEnded)

    def __repr__(self) -> str:
        return f"<Victims {self.now()}>"

    def now(self) -> dict[str, list[int]]:
        """Give their pids, by moment; those that stand by are ``spare``."""
        return by_moment(self._system.tree(), self._workers)

    def _hear(self, event: object) -> None:
        match event:
            case WorkerSpawned(pid=pid):
                self._workers.add(pid)
            case WorkerEnded(pid=pid):
                self._workers.discard(pid)


def by_moment(tree: Iterable[TreeNode], workers: Set[int]) -> dict[str, list[int]]:
    """Give the workers' pids by the moment that their models, as the tree shows them, are in."""
    found: dict[str, list[int]] = {}
    serving = set()
    for node in (node for top in tree for node in top.walk()):
        pid = node.shows.get("pid")
        if pid is not None and "model_state" in node.shows:
            serving.add(pid)
            moment = _MOMENTS.get(node.shows["model_state"])
            if moment is not None:
                found.setdefault(moment, []).append(pid)
    if spare := workers - serving:
        found["spare"] = sorted(spare)
    return found


def by_name(head: int | None = None) -> dict[str, list[int]]:
    """Give the pids of the processes below one, or this one, by what the kernel calls them."""
    found: dict[str, list[int]] = {}
    for process in descendants(head):
        found.setdefault(_name(process.pid), []).append(process.pid)
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
