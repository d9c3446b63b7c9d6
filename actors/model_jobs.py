"""The requests that a model actor has in hand: those that wait, and those in the worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from failsoft.actors.reply import Reply, StreamReply
from failsoft.messages import InferenceError, ModelOverloaded
from failsoft.messages.frames import Timed
from failsoft.messages.trace_events import RequestServed

if TYPE_CHECKING:
    from failsoft.actors.context import Context


class Job(msgspec.Struct, eq=False):
    """Know one request: what was asked, who waits for it, and how far it is.

    kind: the request's type. body: the request, encoded.
    is_told: it is a stream whose last chunk has come; its engine may have yet to say that it ended.
    is_begun: its engine was given it. tokens: seen so far, for streams.
    cancelled_at: when the worker was told to stop it. traceparent: where it is traced.
    beside: the traceparents of those that were in the batch when it was begun.
    """

    id: int
    kind: type
    body: msgspec.Raw
    reply: Reply[Any]
    correlation_id: str | None
    is_begun: bool = False
    is_told: bool = False
    tokens: int = 0
    cancelled_at: float | None = None
    traceparent: str | None = None
    beside: tuple[str, ...] = ()

    @property
    def is_stream(self) -> bool:
        return isinstance(self.reply, StreamReply)

    def push(self, chunk: Any) -> int:
        """Give a stream's reader a chunk; tell how many tokens it has."""
        assert isinstance(self.reply, StreamReply)
        made: int = getattr(chunk, "tokens", 0)
        self.tokens += made
        self.reply.push(chunk)
        if getattr(chunk, "is_last", False):
            # Now: what befalls the worker before it says so is no error of this stream.
            self.is_told = True
            self.reply.set(None)
        return made

    def lost_by(self, error: InferenceError, *, begun: int) -> InferenceError:
        """Give ``error`` for this job: an exception belongs to one who waits.

        begun: how many may be to blame, all that the engine had in hand.
        """
        suspicion = suspected(begun) if self.is_begun and begun else {"begun": False}
        details = {**error.details, **suspicion, "tokens": self.tokens}
        return type(error)(error.message, details=details, correlation_id=self.correlation_id)


def suspected(begun: int) -> dict[str, Any]:
    """Give the details of an error whose request is one of ``begun`` that may have caused it."""
    return {"begun": True, "begun_with": begun - 1}


def tell_times(context: Context, job: Job | None, pid: int | None, times: Timed) -> None:
    """Publish when a request that is traced was where."""
    if job is not None and job.traceparent is not None:
        context.publish(
            RequestServed,
            pid=pid or 0,
            arrived=times.arrived,
            began=times.began,
            shown=times.shown,
            ended=times.ended,
            most_at_once=times.most_at_once,
            beside=job.beside,
            correlation_id=job.correlation_id,
            traceparent=job.traceparent,
        )


def lose(jobs: Sequence[Job], error: InferenceError, *, has_culprit: bool) -> None:
    """Answer jobs whose worker was lost, each with an error of its own.

    has_culprit: who is to blame for it has been answered already.
    """
    begun = 0 if has_culprit else sum(job.is_begun for job in jobs)
    for job in jobs:
        if not job.is_told:
            job.reply.fail(job.lost_by(error, begun=begun))


class Jobs:
    """Hold jobs in order of arrival. At most ``most_waiting`` wait; ``most_running`` run.

    Those that run are in the worker; the engine has begun some of them, the others are to follow.
    """

    def __init__(self, most_waiting: int, most_running: int) -> None:
        self.most_waiting = most_waiting
        self.most_running = most_running
        self._waiting: dict[int, Job] = {}
        self._running: dict[int, Job] = {}
        self._next_id = 1

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def begun(self) -> int:
        """Give how many the engine has in hand."""
        return sum(job.is_begun for job in self._running.values())

    def shows(self) -> dict[str, int]:
        """Give how many there are, where."""
        return {"waiting": self.waiting, "running": self.running, "batch": self.begun}

    def begin(self, job: Job) -> None:
        """Take note that the engine has a job in hand, and which others that are traced."""
        if job.traceparent is not None:
            others = (other.traceparent for other in self._running.values() if other.is_begun)
            job.beside = tuple(other for other in others if other is not None)
        job.is_begun = True

    def check_room(self) -> None:
        """Raise ModelOverloaded where no more may wait."""
        if len(self._waiting) >= self.most_waiting:
            raise ModelOverloaded(
                f"{self.most_waiting} requests wait for this model already; "
                "try again later, or send it less.",
                details={"queue_limit": self.most_waiting},
            )

    def add(
        self,
        kind: type,
        body: msgspec.Raw,
        reply: Reply[Any],
        correlation_id: str | None,
        traceparent: str | None,
    ) -> Job:
        """Take a request in, to wait."""
        job = Job(self._next_id, kind, body, reply, correlation_id, traceparent=traceparent)
        self._next_id += 1
        self._waiting[job.id] = job
        return job

    def start_next(self) -> Job | None:
        """Give the next job to run, where there is room for one that somebody still wants."""
        while self._waiting and len(self._running) < self.most_running:
            job = self._waiting.pop(next(iter(self._waiting)))
            if job.reply.is_open:
                self._running[job.id] = job
                return job
        return None

    def find(self, id: int) -> Job | None:
        """Give the running job with this id."""
        return self._running.get(id)

    def finish(self, id: int) -> Job | None:
        """Give the running job that has ended; None where no such job runs."""
        return self._running.pop(id, None)

    def withdraw(self, job: Job) -> bool:
        """Take a job back that nobody wants any more; False where it runs."""
        return self._waiting.pop(job.id, None) is not None or job.id not in self._running

    def take_waiting(self) -> list[Job]:
        """Take out all that wait."""
        waiting = list(self._waiting.values())
        self._waiting.clear()
        return waiting

    def take_running(self) -> list[Job]:
        """Take out all that run."""
        running = list(self._running.values())
        self._running.clear()
        return running
