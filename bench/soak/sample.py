"""Samples: what the service holds at a moment, as the kernel and the service itself tell it."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from bench.storm.victims import by_name

_MIB = 1024 * 1024
_WORKER = "failsoft-worker"
_LINE = re.compile(r"^(\w+)(\{[^}]*\})? (\S+)$", re.MULTILINE)
_IN_HAND = ("failsoft_in_flight_requests", "failsoft_waiting_requests")
_ACTIVE = "http_server_active_requests"


class Scraped(msgspec.Struct, frozen=True):
    """Be what is taken of a scrape.

    series: its lines. in_hand: requests that are under way, this scrape not among them.
    lags: the loop's, in seconds, how many and how much in all.
    """

    tasks: int
    actors: int
    series: int
    in_hand: int
    lags: tuple[float, float]


class Sample(msgspec.Struct, frozen=True):
    """Be one. at: seconds since the beginning. is_calm: nobody asked, and all was ready.

    service, keepers, workers: their own memory in MiB, without what is mapped of files; pages that
        several share are counted by share (the kernel's Pss_Anon). keepers: the reaper and
        templates. resident: all of the service, in MiB (RSS).
    lag: of the service's event loop, in ms, on the average since the sample before.
    """

    at: float
    is_calm: bool
    service: float
    keepers: float
    workers: float
    resident: float
    descriptors: int
    threads: int
    tasks: int
    actors: int
    series: int
    in_hand: int
    lag: float | None

    @property
    def below(self) -> float:
        """Give the memory of all processes below the service: none of it is counted twice."""
        return self.keepers + self.workers


def scraped(text: str) -> Scraped:
    """Read a scrape in Prometheus's text."""
    found = [(name, labels or "", float(value)) for name, labels, value in _LINE.findall(text)]
    sums: dict[str, float] = {}
    for name, _, value in found:
        sums[name] = sums.get(name, 0.0) + value
    mailboxes = [labels for name, labels, _ in found if name == "failsoft_mailbox_messages"]
    active = max(0.0, sums.get(_ACTIVE, 0.0) - 1)
    return Scraped(
        tasks=int(sums.get("failsoft_event_loop_tasks", 0)),
        actors=sum('lane="work"' in labels for labels in mailboxes),
        series=len(found),
        in_hand=int(active + sum(sums.get(name, 0.0) for name in _IN_HAND)),
        lags=(
            sums.get("failsoft_loop_lag_seconds_count", 0.0),
            sums.get("failsoft_loop_lag_seconds_sum", 0.0),
        ),
    )


class Sampler:
    """Take samples of the service with this pid."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._lags = 0.0, 0.0

    def take(self, at: float, told: Scraped, *, is_calm: bool) -> Sample:
        """Take one. told: what the service has just said. Raise OSError where it has ended."""
        below = by_name(self._pid)
        workers = below.pop(_WORKER, [])
        keepers = [pid for pids in below.values() for pid in pids]
        count, seconds = (now - then for now, then in zip(told.lags, self._lags, strict=True))
        self._lags = told.lags
        folder = Path(f"/proc/{self._pid}")
        return Sample(
            at=round(at, 1),
            is_calm=is_calm,
            service=_own(self._pid),
            keepers=round(sum(map(_own, keepers)), 2),
            workers=round(sum(map(_own, workers)), 2),
            resident=_field(folder / "status", "VmRSS"),
            descriptors=len(list((folder / "fd").iterdir())),
            threads=len(list((folder / "task").iterdir())),
            tasks=told.tasks,
            actors=told.actors,
            series=told.series,
            in_hand=told.in_hand,
            lag=round(1000 * seconds / count, 3) if count else None,
        )


def _own(pid: int) -> float:
    try:
        return _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss_Anon")
    except OSError:  # it has ended meanwhile
        return 0.0


def _field(file: Path, name: str) -> float:
    """Give a field of a file of the kernel's, which is in kB, in MiB."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return round(int(line.split()[1]) * 1024 / _MIB, 2)
    return 0.0
