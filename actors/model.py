"""The model actor: it owns one worker, and with it a model's device memory.

Requests come in by mailbox and go to the worker in order; answers and chunks come back over the
worker's wire and go straight to those who wait. The worker's end is this actor's failure: what
was in hand is answered ``worker_lost`` at once, and the supervisor starts the actor anew. Where a
spare worker stands by, it takes over instead, and what waits is not touched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from failsoft.actors.actor import Actor
from failsoft.actors.errors import ActorStopped
from failsoft.actors.exit import ExitReason
from failsoft.actors.handlers import deferring_handler, handles
from failsoft.actors.model_codec import ModelCodec
from failsoft.actors.model_jobs import Job, Jobs, lose, suspected, tell_times
from failsoft.actors.model_state import ModelState
from failsoft.actors.model_worker import Answering, ModelWorker
from failsoft.actors.model_workers import ModelWorkers
from failsoft.actors.reply import Reply
from failsoft.actors.request_context import current_correlation_id
from failsoft.actors.tracing import Tracing
from failsoft.actors.wear import Wear
from failsoft.gpu import WorkerSpec
from failsoft.messages import (
    ErrorInfo,
    InferenceError,
    InjectFault,
    ModelLoadingFailed,
    Request,
    error_from,
)
from failsoft.messages.events import (
    GenerationCancelled,
    ModelStateChanged,
    WorkerWornOut,
)
from failsoft.messages.frames import Began, Cancel, Chunk, Done, Failed, Inject, Timed

_NO_WEAR = Wear()


class ModelActor(Actor):
    """Serve requests with a model in a worker of its own.

    worker: which engine, with which options, and when it counts as hung.
    requests: the types of request that it takes; None: those that ``worker`` says it answers.
    queue_limit: requests that may wait; more are refused with ModelOverloaded.
    max_in_worker: requests in the worker at a time; None takes as many as its engine works on at
        once, and one that is ready to follow.
    standby: keep a second worker loaded, where memory has room for it. It takes over at once from
        one that is lost while idle, or after it has answered something; one that is lost before
        is this actor's failure, for the supervisor to count.
    wear: when a worker is replaced, between two requests.
    """

    shutdown_timeout: ClassVar[float] = 10.0
    ranks_work: ClassVar[bool] = False

    def __init__(
        self,
        worker: WorkerSpec,
        *,
        requests: Sequence[type[Request[Any]]] | None = None,
        queue_limit: int = 64,
        max_in_worker: int | None = None,
        standby: bool = False,
        wear: Wear = _NO_WEAR,
    ) -> None:
        if queue_limit < 1 or (max_in_worker is not None and max_in_worker < 1):
            raise ValueError("queue_limit and max_in_worker must be at least 1")
        requests = worker.requests if requests is None else requests
        accept = deferring_handler(type(self)._accept)
        self.message_handlers = {**self.message_handlers, **dict.fromkeys(requests, accept)}
        self.stream_handlers = dict.fromkeys(requests, accept)
        self._jobs = Jobs(queue_limit, max_in_worker or 1)
        self._max_in_worker = max_in_worker
        self._codec = ModelCodec(requests)
        self._wear = wear.for_worker(worker)
        self._state = ModelState.STARTING
        self._workers = ModelWorkers(worker, self, has_standby=standby)
        self._is_ending = False
        self._is_replacing = False
        self._worn: str | None = None
        self._suspects = 0
        self._tokens = 0

    async def on_start(self) -> None:
        self.context.defer_ready()
        self._tracing = self.context.system.extension(Tracing)
        self._workers.start(self.context)

    async def on_stop(self, reason: ExitReason) -> None:
        self._is_ending = True
        await self._workers.stop(reason)

    def on_shutdown(self, reason: ExitReason) -> bool:
        self._is_replacing = False
        self._enter(ModelState.DRAINING)
        for job in self._jobs.take_waiting():
            job.reply.fail(ActorStopped(self.context.path, str(reason)))
        return True

    def inspect(self) -> dict[str, Any]:
        return {
            "model_state": self._state.value,
            **self._jobs.shows(),
            "tokens": self._tokens,
            **self._workers.shows(),
        }

    # -- requests

    def _accept(self, request: Request[Any]) -> Reply[Any]:
        """Take a request in; its answer comes later, or at once where there is no room."""
        reply = self.context.defer()
        try:
            body = self._codec.encode(request)
            self._jobs.check_room()
        except InferenceError as refusal:
            reply.fail(refusal)
            return reply
        ids = current_correlation_id(), self._tracing.traceparent
        job = self._jobs.add(type(request), body, reply, *ids)
        reply.when_closed(functools.partial(self._closed, job))
        self._send_next()
        return reply

    def _closed(self, job: Job) -> None:
        """See that no more work is done for a job that was answered or given up."""
        if not job.is_told and not self._jobs.withdraw(job) and job.cancelled_at is None:
            job.cancelled_at = self.context.clock.now()
            self._workers.serving.send(Cancel(job.id))

    def _send_next(self) -> None:
        """Give the worker what it has room for; replace it first where that is due."""
        if not self._state.takes_work:
            return
        if self._worn is None and not self._suspects:
            while (job := self._jobs.start_next()) is not None:
                self._workers.serving.send(self._codec.run(job))
        self._enter(ModelState.BUSY if self._jobs.running else ModelState.READY)
        if self._worn is not None and not self._suspects and not self._jobs.running:
            self._replace()

    # -- what the workers say (see WorkerOwner)

    def worker_moved(self, worker: ModelWorker) -> None:
        """Be in the state that the worker is in."""
        if worker is not self._workers.serving:
            return
        if self._enter(worker.state) and worker.is_ready:
            self._serve_with(worker)

    def worker_beat(self, worker: ModelWorker) -> None:
        """See whether the worker is worn out, and whether there is room for a spare."""
        if worker is not self._workers.serving or not self._state.takes_work:
            return
        worn = self._wear.of_memory(worker.numbers)
        if worn is not None and not worker.answered and not self._jobs.running:
            # Its successors would be no better.
            said = f"The model is loaded and has done nothing yet, and {worn}. Raise its bound."
            self._fail(ModelLoadingFailed(said))
        elif worn is not None:
            self._wear_out(worn)
        else:
            self._workers.fill_standby(is_idle=not self._jobs.running)

    def worker_answers(self, worker: ModelWorker, report: Answering) -> None:
        """Pass on what is said of a request."""
        match report:
            case Began(id):
                self._began(id)
            case Chunk(id, chunk):
                self._chunk(id, chunk)
            case Timed(id):
                tell_times(self.context, self._jobs.find(id), worker.pid, report)
            case Done(id, reply):
                self._done(id, reply)
            case Failed(id, error, True):
                self._broke_device(id, error)
            case Failed(id, error, False):
                self._finish(id, lambda job: job.reply.fail(error_from(error).as_answer()))

    def worker_lost(self, worker: ModelWorker, error: InferenceError) -> None:
        """Go on with the spare, or fail."""
        is_serving = worker is self._workers.serving
        if self._is_ending or (is_serving and self._is_replacing):
            return
        if not is_serving:
            self._workers.lost_spare(worker)
            return
        is_proven = worker.answered > 0 or not (self._jobs.begun or self._suspects)
        spare = self._workers.promote() if is_proven else None
        if spare is None:
            self._fail(error)
        else:
            lose(self._jobs.take_running(), error, has_culprit=self._suspects > 0)
            self._serve_with(spare)

    def worker_gone(self, worker: ModelWorker) -> None:
        """Have the next worker serve, where this one was to be replaced and none was ready."""
        self._workers.gone(worker)
        if worker is self._workers.serving and self._is_replacing and not self._is_ending:
            self._is_replacing = False
            self._enter(ModelState.STARTING)
            self._workers.start_anew()
            self.worker_moved(self._workers.serving)

    # -- what follows from it

    def _serve_with(self, worker: ModelWorker) -> None:
        self.context.set_ready(True)
        self._worn = None
        self._suspects = 0
        self._jobs.most_running = self._max_in_worker or worker.max_batch + 1
        self._send_next()

    def _wear_out(self, reason: str) -> None:
        """Have the worker replaced once it has nothing in hand."""
        if self._worn is None:
            self._worn = reason
            self.context.publish(WorkerWornOut, pid=self._workers.serving.pid or 0, reason=reason)
            self._send_next()

    def _replace(self) -> None:
        """Let the worker go; what waits stays here."""
        self._workers.serving.end()
        if (spare := self._workers.promote()) is not None:
            self._serve_with(spare)
        else:
            self._is_replacing = True
            self._enter(ModelState.DRAINING)
            self.context.set_ready(False)

    def _began(self, id: int) -> None:
        job = self._jobs.find(id)
        # What begins after the device broke, before the process ends, has nothing to do with it.
        if job is not None and not self._suspects:
            self._jobs.begin(job)

    def _chunk(self, id: int, chunk: msgspec.Raw) -> None:
        job = self._jobs.find(id)
        if job is None or not job.is_stream:
            self._workers.serving.kill("it sent a chunk of no request")
            return
        self._tokens += job.push(self._codec.chunk(job, chunk))

    def _done(self, id: int, reply: msgspec.Raw) -> None:
        job = self._jobs.find(id)
        decoded = None
        if job is not None and not job.is_stream:
            decoded = self._codec.reply(job, reply)
            usage = getattr(decoded, "usage", None)
            self._tokens += getattr(usage, "completion_tokens", 0)
        self._finish(id, lambda job: job.reply.set(decoded))

    def _broke_device(self, id: int, error: ErrorInfo) -> None:
        """Answer one that was in work, which costs this worker. Nobody else is to blame."""
        self._suspects = self._suspects or max(1, self._jobs.begun)
        known = error_from(error)
        worker = self._workers.serving
        known.details.update(suspected(self._suspects), worker=worker.number)
        self.context.set_ready(False)
        self._finish(id, lambda job: job.reply.fail(known))
        worker.kill("its device can't be used any more")

    def _finish(self, id: int, answer: Callable[[Job], object]) -> None:
        job = self._jobs.finish(id)
        if job is None:
            self._workers.serving.kill("it answered no request")
            return
        self._workers.serving.answered += not self._suspects
        if job.reply.is_open:
            answer(job)
        elif job.cancelled_at is not None:
            seconds = self.context.clock.now() - job.cancelled_at
            told = {"seconds": seconds, "correlation_id": job.correlation_id}
            self.context.publish(GenerationCancelled, **told)
        if (worn := self._wear.of_requests(self._workers.serving.answered)) is not None:
            self._wear_out(worn)
        self._send_next()

    def _fail(self, error: InferenceError) -> None:
        """Answer all that is in hand with the loss, and fail."""
        if not self._enter(ModelState.FAILED):
            return
        self.context.set_ready(False)
        in_hand = (*self._jobs.take_running(), *self._jobs.take_waiting())
        lose(in_hand, error, has_culprit=self._suspects > 0)
        self.context.crash(error)

    def _enter(self, state: ModelState) -> bool:
        """Go to ``state``; False where that can't follow, and nothing changes."""
        before = self._state
        if state is before or state not in before.may_become:
            return False
        self._state = state
        if self.context.system.events.hears(ModelStateChanged):  # two to a request, as a rule
            self.context.publish(ModelStateChanged, before=before.value, after=state.value)
        return True

    # -- faults on purpose

    @handles(InjectFault)
    def _inject(self, message: InjectFault) -> None:
        self._workers.serving.send(Inject(message.fault, message.after_steps))
