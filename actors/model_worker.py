"""One worker of a model, as its actor sees it: how far it is, and what it has told of itself."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import structlog

from failsoft.actors.model_state import ModelState, WorkerNumbers
from failsoft.gpu import (
    WorkerGone,
    WorkerLine,
    WorkerSpec,
    make_worker,
    worker_thread_statistics,
)
from failsoft.messages import InferenceError, WorkerLost, error_from
from failsoft.messages.events import (
    DeviceMemoryReported,
    ModelLoading,
    StandbyReady,
    WorkerAbandoned,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
    WorkerSpawned,
)
from failsoft.messages.frames import (
    Began,
    Chunk,
    Command,
    Done,
    Failed,
    Heartbeat,
    Hello,
    LoadFailed,
    Loading,
    Ready,
    Report,
    Timed,
    Warming,
)

if TYPE_CHECKING:
    from failsoft.actors.context import Context

log = structlog.get_logger("failsoft.model")

_numbers = itertools.count(1)

Answering = Began | Chunk | Timed | Done | Failed


class WorkerOwner(Protocol):
    """Be told what becomes of a worker. Calls come in the loop, between handlers."""

    def worker_moved(self, worker: ModelWorker) -> None:
        """Learn that it is in another state."""
        ...

    def worker_beat(self, worker: ModelWorker) -> None:
        """Learn that it has told its numbers."""
        ...

    def worker_answers(self, worker: ModelWorker, report: Answering) -> None:
        """Take in what it says of a request. Raises msgspec.DecodeError for what is no answer."""
        ...

    def worker_lost(self, worker: ModelWorker, error: InferenceError) -> None:
        """Learn that it could not load, or ended though nobody asked it to: once."""
        ...

    def worker_gone(self, worker: ModelWorker) -> None:
        """Learn that it has ended, or was abandoned: once, and last of all."""
        ...


class ModelWorker:
    """Start a worker, and follow it to its end.

    number: which one it is, of all in this process; errors name it in their details, as
        ``worker``. is_spare: it stands by; nobody waits for it. answered: requests that it ended.
    """

    def __init__(
        self, spec: WorkerSpec, context: Context, owner: WorkerOwner, *, is_spare: bool = False
    ) -> None:
        self.number = next(_numbers)
        self.is_spare = is_spare
        self.state = ModelState.STARTING
        self.numbers = WorkerNumbers()
        self.info: dict[str, Any] = {}
        self.answered = 0
        self._run_in = spec.run_in
        self._context = context
        self._owner = owner
        self._error: InferenceError | None = None
        self._started_at = context.clock.now()
        self._process = make_worker(spec, context.system.extension, self, context.path)
        # Not awaited: the first process of its kind takes seconds, and a stop must not wait.
        self._starting = asyncio.ensure_future(self._process.start())

    def __repr__(self) -> str:
        spare = ", spare" * self.is_spare
        return f"<ModelWorker {self.pid} {self.state.value}{spare}, {self.answered} answered>"

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def node(self) -> str | None:
        """Give the address of the machine that it is placed on; None where that is this one."""
        return self._process.node

    @property
    def is_ready(self) -> bool:
        return self.state is ModelState.READY

    @property
    def threads(self) -> dict[str, int]:
        """Give this process's worker threads, running and abandoned, where this one is of them."""
        if self._run_in == "process":
            return {}
        now = worker_thread_statistics()
        return {"threads_running": now.running, "threads_abandoned": now.abandoned}

    @property
    def max_batch(self) -> int:
        """Give how many requests its engine works on at once; known when it is ready."""
        most: int = self.info.get("max_batch", 1)
        return most

    def send(self, command: Command) -> None:
        self._process.send(command)

    def kill(self, reason: str) -> None:
        self._process.kill(reason)

    def end(self) -> None:
        """Have it end once it has done what it has in hand; don't wait for that."""
        self.state = ModelState.DRAINING
        self._process.ask_to_stop()

    async def stop(self) -> None:
        """Have it end; return when it is gone, or kill it where this is cancelled."""
        try:
            await self._process.stop()
        finally:
            self._process.kill("its time to stop was over")
            self._starting.cancel()

    # -- what the worker says (see gpu.WorkerListener)

    def on_report(self, report: Report) -> None:
        try:
            self._heed(report)
        except msgspec.DecodeError as error:
            self.kill(f"it sent what is no answer: {error}")

    def _heed(self, report: Report) -> None:
        publish = self._context.publish
        match report:
            case Began() | Chunk() | Timed() | Done() | Failed():
                self._owner.worker_answers(self, report)
            case Heartbeat():
                self.numbers.heed(report)
                if total := report.device_total_bytes:
                    used = report.device_used_bytes
                    publish(DeviceMemoryReported, used_bytes=used, total_bytes=total)
                self._owner.worker_beat(self)
            case Hello(_, pid, _):
                publish(WorkerSpawned, pid=pid)
                self._enter(ModelState.LOADING)
            case Loading(done, total):
                self.numbers.loaded_bytes, self.numbers.total_bytes = done, total
                if not self.is_spare:
                    publish(ModelLoading, done_bytes=done, total_bytes=total)
            case Warming():
                self._enter(ModelState.WARMING)
            case Ready(info):
                self.info = info
                kind = StandbyReady if self.is_spare else WorkerReady
                seconds = self._context.clock.now() - self._started_at
                publish(kind, pid=self.pid or 0, seconds=seconds)
                self._enter(ModelState.READY)
            case LoadFailed(error):
                self._lose(error_from(error))

    def on_line(self, line: WorkerLine) -> None:
        fields = {key: value for key, value in line.fields.items() if key not in ("event", "path")}
        bound = log.bind(path=self._context.path, pid=self.pid)
        if line.correlation_id is not None:
            fields["correlation_id"] = line.correlation_id
        getattr(bound, line.level)(line.event, **fields)

    def on_gone(self, gone: WorkerGone) -> None:
        publish, pid = self._context.publish, gone.pid or 0
        if gone.was_hung:
            publish(WorkerHung, pid=pid, reason=gone.reason)
        error = None if gone.was_asked else self._error or _lost(gone, self.number)
        kind = "" if error is None else error.kind
        publish(WorkerEnded, pid=pid, reason=gone.reason, asked=gone.was_asked, error_type=kind)
        if gone.was_abandoned:
            abandoned = worker_thread_statistics().abandoned
            publish(WorkerAbandoned, reason=gone.reason, abandoned=abandoned)
        if error is not None:
            self._lose(error)
        self._owner.worker_gone(self)

    def _lose(self, error: InferenceError) -> None:
        self.state = ModelState.FAILED
        if self._error is None:
            self._error = error
            self._owner.worker_lost(self, error)

    def _enter(self, state: ModelState) -> None:
        if state in self.state.may_become:
            self.state = state
            self._owner.worker_moved(self)


def _lost(gone: WorkerGone, number: int) -> WorkerLost:
    details = {"reason": gone.reason, "was_hung": gone.was_hung, "worker": number}
    return WorkerLost("The model's worker was lost; try again.", details=details)
