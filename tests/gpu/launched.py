"""A worker under test, and all that it told. Waits are for events, within a bound."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import select
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from failsoft.gpu import WorkerGone, WorkerHost, WorkerLine, WorkerSpec, make_worker
from failsoft.gpu.cluster.cluster_host import ClusterHost
from failsoft.gpu.placement import Placement
from failsoft.messages import GenerateText, TextChunk, TextReply
from failsoft.messages.frames import Chunk, Done, Failed, Heartbeat, Hello, Ready, Report, Run
from failsoft.messages.wire import raw

# Far above what anything here takes: a test that would hang fails instead.
PATIENCE = 120.0
# Waits for the ends of processes are counted in such parts, in seconds.
_MOMENT = 0.1

T = TypeVar("T")


class Launched:
    """Hold a worker; be its listener."""

    def __init__(self, spec: WorkerSpec, hosts: Any) -> None:
        self.reports: list[Report] = []
        self.lines: list[WorkerLine] = []
        self.gone: list[WorkerGone] = []
        self.after_gone: list[object] = []
        self.process = make_worker(spec, hosts, self, "root/model")
        self._changed = asyncio.Event()
        self._ids = 0

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    # -- the listener

    def on_report(self, report: Report) -> None:
        self._note(self.reports, report)

    def on_line(self, line: WorkerLine) -> None:
        self._note(self.lines, line)

    def on_gone(self, gone: WorkerGone) -> None:
        self._note(self.gone, gone)

    def _note(self, notes: list[Any], note: Any) -> None:
        if self.gone:
            self.after_gone.append(note)
        notes.append(note)
        self._changed.set()

    # -- what a test asks

    def run(
        self,
        request: GenerateText | str = "hello",
        *,
        stream: bool = True,
        deadline: float | None = None,
        correlation_id: str | None = None,
    ) -> int:
        """Send a request; give its id."""
        self._ids += 1
        asked = GenerateText(request, max_tokens=1_000_000) if isinstance(request, str) else request
        self.process.send(Run(self._ids, raw(asked), stream, deadline, correlation_id))
        return self._ids

    async def until(self, find: Callable[[], T | None]) -> T:
        """Wait until ``find`` gives something."""
        async with asyncio.timeout(PATIENCE):
            while (found := find()) is None:
                self._changed.clear()
                await self._changed.wait()
        return found

    async def report(self, kind: type[T], where: Callable[[T], bool] = lambda _: True) -> T:
        """Wait for the first report of a kind."""
        return await self.until(
            lambda: next((r for r in self.reports if isinstance(r, kind) and where(r)), None)
        )

    def is_told(self, kind: type[Report]) -> bool:
        return any(isinstance(report, kind) for report in self.reports)

    async def ready(self) -> Ready:
        return await self.report(Ready)

    async def hello(self) -> Hello:
        return await self.report(Hello)

    async def end_of(self, id: int) -> Done | Failed:
        return await self.until(lambda: next(iter(self.ends_of(id)), None))

    def ends_of(self, id: int) -> list[Done | Failed]:
        return [r for r in self.reports if isinstance(r, Done | Failed) and r.id == id]

    async def failure_of(self, id: int) -> Failed:
        end = await self.end_of(id)
        assert isinstance(end, Failed), end
        return end

    async def reply_of(self, id: int) -> TextReply:
        end = await self.end_of(id)
        assert isinstance(end, Done), end
        return msgspec.msgpack.decode(end.reply, type=TextReply)

    async def line(self, event: str) -> WorkerLine:
        """Wait for the first log line that contains ``event``."""
        return await self.until(
            lambda: next((line for line in self.lines if event in line.event), None)
        )

    async def first_chunk_of(self, id: int) -> Chunk:
        return await self.report(Chunk, lambda chunk: chunk.id == id)

    def chunks_of(self, id: int) -> list[TextChunk]:
        return [
            msgspec.msgpack.decode(report.chunk, type=TextChunk)
            for report in self.reports
            if isinstance(report, Chunk) and report.id == id
        ]

    def text_of(self, id: int) -> str:
        return "".join(chunk.text for chunk in self.chunks_of(id))

    async def ended(self) -> WorkerGone:
        """Wait until the process is gone; see that this was told once, and last."""
        await self.until(lambda: self.gone or None)
        await asyncio.sleep(0)
        assert len(self.gone) == 1
        assert not self.after_gone
        assert self.process.is_gone
        return self.gone[0]


class Launcher:
    """Start workers on their hosts; at ``placement``, where one is given."""

    def __init__(
        self, *hosts: WorkerHost | ClusterHost, placement: Placement | None = None
    ) -> None:
        self._hosts: Any = {type(host): host for host in hosts}.__getitem__
        self.placement = placement
        self.launched: list[Launched] = []

    async def __call__(self, spec: WorkerSpec) -> Launched:
        if self.placement is not None:
            spec = msgspec.structs.replace(spec, placement=self.placement)
        launched = Launched(spec, self._hosts)
        self.launched.append(launched)
        await launched.process.start()
        return launched

    async def ready(self, spec: WorkerSpec) -> Launched:
        launched = await self(spec)
        await launched.ready()
        return launched

    async def at_rest(self, spec: WorkerSpec) -> Launched:
        """Give one that opens no file any more: it reads some for a heartbeat, and has its one."""
        quiet = msgspec.structs.replace(spec, heartbeat_every=600.0, heartbeat_limit=3600.0)
        launched = await self.ready(quiet)
        await launched.report(Heartbeat)
        return launched


def open_descriptors() -> list[str]:
    """Give what this process has open, by number."""
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


@contextlib.contextmanager
def room_for_descriptors(room: int) -> Iterator[None]:
    """Let this process open so many descriptors more, and not one beyond."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def children_of(pid: int) -> list[int]:
    """Give the pids of a process's children."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(stat.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def exists(pid: int) -> bool:
    """Tell whether there is such a process, even a zombie."""
    return Path(f"/proc/{pid}").exists()


def watch(pids: Iterable[int]) -> dict[int, int]:
    """Give a pidfd for each pid."""
    return {pid: os.pidfd_open(pid) for pid in pids}


def still_alive_after(pidfds: dict[int, int], seconds: float) -> set[int]:
    """Wait until all have ended, at most so long; give those that have not. Closes the pidfds.

    While this machine stands still, no more than a moment counts: nobody could have ended then.
    """
    poll, moments = select.poll(), max(1, round(seconds / _MOMENT))
    by_descriptor = {pidfd: pid for pid, pidfd in pidfds.items()}
    for pidfd in by_descriptor:
        poll.register(pidfd, select.POLLIN)
    alive = set(pidfds)
    while alive and moments > 0:
        ended = poll.poll(_MOMENT * 1000)
        moments -= not ended
        for pidfd, _ in ended:
            poll.unregister(pidfd)
            alive.discard(by_descriptor[pidfd])
    for pidfd in by_descriptor:
        os.close(pidfd)
    return alive
