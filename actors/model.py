"""The model actor: it owns one worker process, and with it a model's device memory.

Requests come in by mailbox and go to the worker in order; answers and chunks come back over the
worker's wire and go straight to those who wait. The worker's end is this actor's failure: what
was in hand is answered ``worker_lost`` at once, and the supervisor starts the actor anew.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec
import structlog

from failsoft.actors.actor import Actor
from failsoft.actors.errors import ActorStopped
from failsoft.actors.exit import ExitReason
from failsoft.actors.handlers import deferring_handler, handles
from failsoft.actors.model_codec import ModelCodec
from failsoft.actors.model_jobs import Job, Jobs, suspected
from failsoft.actors.model_state import ModelState, WorkerNumbers
from failsoft.actors.reply import Reply, StreamReply
from failsoft.actors.request_context import current_correlation_id
from failsoft.gpu import WorkerGone, WorkerHost, WorkerLine, WorkerProcess, WorkerSpec
from failsoft.messages import (
    ErrorInfo,
    GenerateText,
    InferenceError,
    InjectFault,
    ModelOverloaded,
    Request,
    WorkerLost,
    error_from,
)
from failsoft.messages.events import (
    DeviceMemoryReported,
    GenerationCancelled,
    ModelLoading,
    ModelStateChanged,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
    WorkerSpawned,
)
from failsoft.messages.frames import (
    Began,
    Cancel,
    Chunk,
    Done,
    Failed,
    Heartbeat,
    Hello,
    Inject,
    LoadFailed,
    Loading,
    Ready,
    Report,
)

log = structlog.get_logger("failsoft.model")


class ModelActor(Actor):
    """Serve requests with a model in a worker process of its own.

    worker: which engine, with which options, and when it counts as hung.
    requests: the types of request that the engine answers.
    queue_limit: requests that may wait; more are refused with ModelOverloaded.
    max_in_worker: requests in the worker at a time; None takes as many as its engine works on at
        once, and one that is ready to follow.
    """

    shutdown_timeout: ClassVar[float] = 10.0
    ranks_work: ClassVar[bool] = False

    def __init__(
        self,
        worker: WorkerSpec,
        *,
        requests: Sequence[type[Request[Any]]] = (GenerateText,),
        queue_limit: int = 64,
        max_in_worker: int | None = None,
    ) -> None:
        if queue_limit < 1 or (max_in_worker is not None and max_in_worker < 1):
            raise ValueError("queue_limit and max_in_worker must be at least 1")
        accept = deferring_handler(type(self)._accept)
        self.message_handlers = {**self.message_handlers, **dict.fromkeys(requests, accept)}
        self.stream_handlers = dict.fromkeys(requests, accept)
        self._spec = worker
        self._jobs = Jobs(queue_limit, max_in_worker or 1)
        self._max_in_worker = max_in_worker
        self._codec = ModelCodec(requests)
        self._worker: WorkerProcess | None = None
        self._state = ModelState.STARTING
        self._is_ending = False
        self._suspects = 0
        self._numbers = WorkerNumbers()
        self._info: dict[str, Any] = {}

    async def on_start(self) -> None:
        self.context.defer_ready()
        host = self.context.system.extension(WorkerHost)
        self._started_at = self.context.clock.now()
        self._worker = WorkerProcess(self._spec, host, self)
        # Not awaited: the first process of its kind takes seconds, and a stop must not wait.
        self._starting = asyncio.ensure_future(self._worker.start())

    async def on_stop(self, reason: ExitReason) -> None:
        self._is_ending = True
        if self._worker is None:
            return
        if reason.is_abnormal:
            self._worker.kill(str(reason))
        try:
            await self._worker.stop()
        finally:
            self._worker.kill(str(reason))
            self._starting.cancel()

    def on_shutdown(self, reason: ExitReason) -> bool:
        self._enter(ModelState.DRAINING)
        for job in self._jobs.take_waiting():
            job.reply.fail(ActorStopped(self.context.path, str(reason)))
        return True

    def inspect(self) -> dict[str, Any]:
        return {
            "model_state": self._state.value,
            "pid": None if self._worker is None else self._worker.pid,
            "waiting": self._jobs.waiting,
            "running": self._jobs.running,
            **msgspec.structs.asdict(self._numbers),
            **self._info,
        }

    # -- requests

    def _accept(self, request: Request[Any]) -> Reply[Any]:
        """Take a request in; its answer comes later, or at once where there is no room."""
        reply = self.context.defer()
        try:
            body = self._codec.encode(request)
            self._check_room()
        except InferenceError as refusal:
            reply.fail(refusal)
            return reply
        job = self._jobs.add(type(request), body, reply, current_correlation_id())
        reply.when_closed(functools.partial(self._closed, job))
        self._send_next()
        return reply

    def _check_room(self) -> None:
        if self._jobs.is_full:
            raise ModelOverloaded(
                f"{self._jobs.most_waiting} requests wait for this model already; "
                "try again later, or send it less.",
                details={"queue_limit": self._jobs.most_waiting},
            )

    def _closed(self, job: Job) -> None:
        """See that no more work is done for a job that was answered or given up."""
        if not self._jobs.withdraw(job) and job.cancelled_at is None:
            job.cancelled_at = self.context.clock.now()
            assert self._worker is not None
            self._worker.send(Cancel(job.id))

    def _send_next(self) -> None:
        """Give the worker what it has room for."""
        if self._state.takes_work:
            while (job := self._jobs.start_next()) is not None:
                assert self._worker is not None
                self._worker.send(self._codec.run(job))
            self._enter(ModelState.BUSY if self._jobs.running else ModelState.READY)

    # -- what the worker says (see gpu.WorkerListener); called in the loop, between handlers

    def on_report(self, report: Report) -> None:
        try:
            self._heed(report)
        except msgspec.DecodeError as error:
            self._kill(f"it sent what is no answer: {error}")

    def _heed(self, report: Report) -> None:
        match report:
            case Began(id):
                self._began(id)
            case Chunk(id, chunk):
                self._chunk(id, chunk)
            case Done(id, reply):
                self._done(id, reply)
            case Failed(id, error, sticky):
                if sticky:
                    self._broke_device(id, error)
                else:
                    self._finish(id, lambda job: job.reply.fail(error_from(error).as_answer()))
            case Heartbeat():
                self._numbers.heed(report)
                if total := report.device_total_bytes:
                    used = report.device_used_bytes
                    self.context.publish(DeviceMemoryReported, used_bytes=used, total_bytes=total)
            case Hello(_, pid, _):
                self.context.publish(WorkerSpawned, pid=pid)
                self._enter(ModelState.LOADING)
            case Loading(done, total):
                self._numbers.loaded_bytes, self._numbers.total_bytes = done, total
                self.context.publish(ModelLoading, done_bytes=done, total_bytes=total)
            case Ready(info):
                self._ready(info)
            case LoadFailed(error):
                self._fail(error_from(error))

    def on_line(self, line: WorkerLine) -> None:
        fields = {key: value for key, value in line.fields.items() if key not in ("event", "path")}
        bound = log.bind(path=self.context.path, pid=self._worker and self._worker.pid)
        if line.correlation_id is not None:
            fields["correlation_id"] = line.correlation_id
        getattr(bound, line.level)(line.event, **fields)

    def on_gone(self, gone: WorkerGone) -> None:
        publish, pid = self.context.publish, gone.pid or 0
        if gone.was_hung:
            publish(WorkerHung, pid=pid, reason=gone.reason)
        publish(WorkerEnded, pid=pid, reason=gone.reason, asked=gone.was_asked)
        if not gone.was_asked and not self._is_ending:
            said = "The model's worker process was lost; try again."
            details = {"reason": gone.reason, "was_hung": gone.was_hung}
            self._fail(WorkerLost(said, details=details))

    # -- what follows from it

    def _ready(self, info: dict[str, Any]) -> None:
        self._info = info
        self._jobs.most_running = self._max_in_worker or info.get("max_batch", 1) + 1
        assert self._worker is not None
        seconds = self.context.clock.now() - self._started_at
        self.context.publish(WorkerReady, pid=self._worker.pid or 0, seconds=seconds)
        if self._enter(ModelState.READY):
            self.context.set_ready(True)
            self._send_next()

    def _began(self, id: int) -> None:
        job = self._jobs.find(id)
        # What begins after the device broke, before the process ends, has nothing to do with it.
        if job is not None and not self._suspects:
            job.is_begun = True

    def _chunk(self, id: int, chunk: msgspec.Raw) -> None:
        job = self._jobs.find(id)
        if job is None or not isinstance(job.reply, StreamReply):
            self._kill("it sent a chunk of no request")
            return
        decoded = self._codec.chunk(job, chunk)
        made = getattr(decoded, "tokens", 0)
        job.tokens += made
        self._numbers.tokens += made
        job.reply.push(decoded)

    def _done(self, id: int, reply: msgspec.Raw) -> None:
        job = self._jobs.find(id)
        decoded = None
        if job is not None and not job.is_stream:
            decoded = self._codec.reply(job, reply)
            usage = getattr(decoded, "usage", None)
            self._numbers.tokens += getattr(usage, "completion_tokens", 0)
        self._finish(id, lambda job: job.reply.set(decoded))

    def _broke_device(self, id: int, error: ErrorInfo) -> None:
        """Answer one that was in work, which costs this worker. Nobody else is to blame."""
        self._suspects = self._suspects or max(1, self._jobs.begun)
        known = error_from(error)
        known.details.update(suspected(self._suspects))
        self._finish(id, lambda job: job.reply.fail(known))
        self._kill("its device can't be used any more")

    def _finish(self, id: int, answer: Callable[[Job], object]) -> None:
        job = self._jobs.finish(id)
        if job is None:
            self._kill("it answered no request")
            return
        if job.reply.is_open:
            answer(job)
        elif job.cancelled_at is not None:
            seconds = self.context.clock.now() - job.cancelled_at
            told = {"seconds": seconds, "correlation_id": job.correlation_id}
            self.context.publish(GenerationCancelled, **told)
        self._send_next()

    def _kill(self, reason: str) -> None:
        assert self._worker is not None
        self._worker.kill(reason)

    def _fail(self, error: InferenceError) -> None:
        """Answer all that is in hand with the loss, each with an error of its own, and fail."""
        if not self._enter(ModelState.FAILED):
            return
        self.context.set_ready(False)
        # Where the device broke, those who are to blame for it have their answers already.
        begun = 0 if self._suspects else self._jobs.begun
        for job in (*self._jobs.take_running(), *self._jobs.take_waiting()):
            job.reply.fail(job.lost_by(error, begun=begun))
        self.context.crash(error)

    def _enter(self, state: ModelState) -> bool:
        """Go to ``state``; False where that can't follow, and nothing changes."""
        before = self._state
        if state is before or state not in before.may_become:
            return False
        self._state = state
        self.context.publish(ModelStateChanged, before=before.value, after=state.value)
        return True

    # -- faults on purpose

    @handles(InjectFault)
    def _inject(self, message: InjectFault) -> None:
        assert self._worker is not None
        self._worker.send(Inject(message.fault, message.after_steps))
