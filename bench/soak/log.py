"""The service's log: where it listens, which requests are finished, and what else it says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

_SHOWN = 20
# What the faults themselves have it say at level ``error``. Anything else is a fault of its own.
_OF_FAULTS = frozenset(
    ("the engine failed", "the reaper ended; its workers end with it", "alert.firing")
) | {"reload.refused", "reload.not_ready", "reload.not_started"}
_ADDRESS = re.compile(r"serves on (http://\S+)")


class ServiceLog:
    """Read a log as it grows.

    finished: how often it says of which request that it is finished, since ``begin_round``.
    said: how often which line, by its level. errors: how many lines of errors there are that no
    fault of ours explains; shown: the first of them.
    """

    def __init__(self, file: Path) -> None:
        self.finished: Counter[str] = Counter()
        self.said: Counter[str] = Counter()
        self.errors = 0
        self.shown: list[dict[str, Any]] = []
        self._file = file
        self._read = 0

    @property
    def address(self) -> str | None:
        """Give where the service listens, once it has said so."""
        found = _ADDRESS.search(self._file.read_text(encoding="utf-8", errors="replace"))
        return None if found is None else found[1]

    def begin_round(self) -> None:
        """Forget which requests are finished; the ids of the next ones are others."""
        self.read()
        self.finished.clear()

    def read(self) -> None:
        """Read what has been added."""
        with self._file.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                self._note(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.DecodeError:  # the greeting
                continue

    def _note(self, line: dict[str, Any]) -> None:
        event, level = str(line.get("event")), str(line.get("level"))
        self.said[f"{level}: {event}"] += 1
        if event == "RequestFinished":
            self.finished[str(line.get("correlation_id"))] += 1
        if level in ("error", "critical") and event not in _OF_FAULTS:
            self.errors += 1
            if len(self.shown) < _SHOWN:
                self.shown.append(line)
