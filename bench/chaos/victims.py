"""The processes that can be hit now, and in what moment of their lives each is."""

from __future__ import annotations

from pathlib import Path

from failsoft.actors import System
from failsoft.gpu import WorkerHost
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
    """Know a system's worker processes, their template and their reaper."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._workers: set[int] = set()
        system.events.subscribe(self._hear, WorkerSpawned, WorkerEnded)

    def __repr__(self) -> str:
        return f"<Victims {self.now()}>"

    def now(self) -> dict[str, list[int]]:
        """Give their pids, by moment; those that stand by are ``spare``."""
        found: dict[str, list[int]] = {}
        serving = set()
        for node in self._system.tree()[0].walk():
            pid = node.shows.get("pid")
            if pid is not None and "model_state" in node.shows:
                serving.add(pid)
                moment = _MOMENTS.get(node.shows["model_state"])
                if moment is not None:
                    found.setdefault(moment, []).append(pid)
        if spare := self._workers - serving:
            found["spare"] = sorted(spare)
        return found

    def parents(self) -> dict[str, list[int]]:
        """Give the pids of the reaper and of the templates below it."""
        reaper = self._system.extension(WorkerHost).statistics().reaper_pid
        if reaper is None:
            return {}
        below = [process.pid for process in descendants(reaper)]
        templates = [pid for pid in below if _name(pid) == "failsoft-templ"]
        return {"reaper": [reaper], "template": templates}

    def _hear(self, event: object) -> None:
        match event:
            case WorkerSpawned(pid=pid):
                self._workers.add(pid)
            case WorkerEnded(pid=pid):
                self._workers.discard(pid)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
