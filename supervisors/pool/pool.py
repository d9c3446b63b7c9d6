"""Pool: the supervisor of equal replicas of one model, each with a worker of its own.

It stands where a single model would, as a router's candidate, and that router keeps the queue:
what it sends here goes to a replica at once. A replica that fails is restarted by itself; the
others go on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from typing import Any

import msgspec

from failsoft.actors import (
    Actor,
    ActorStopped,
    MailboxFull,
    ModelActor,
    Reply,
    UnknownMessage,
    WorkerSpec,
)
from failsoft.actors.handlers import Handler, deferring_handler
from failsoft.actors.relay import forward
from failsoft.actors.reply import StreamReply
from failsoft.messages import GenerateText, InferenceTimeout, ModelOverloaded, Request
from failsoft.supervisors.backoff import RESTARTS, Backoff
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.pool.autoscale import Autoscale
from failsoft.supervisors.pool.choosing import Affinity
from failsoft.supervisors.pool.replica import Replica, Sent
from failsoft.supervisors.pool.replicated import Recipe
from failsoft.supervisors.pool.sized import Sized
from failsoft.supervisors.routing.breaker import Breaker
from failsoft.supervisors.routing.candidate import Candidate, candidate
from failsoft.supervisors.routing.failure import Failure, NotTaken
from failsoft.supervisors.routing.limit import Limit

_INTENSITY = Intensity()
_BREAKER = Breaker()
_BURST = 10_000
# Loops' timers may be a moment early.
_EARLY = 0.005
_OF_POOL = frozenset({"affinity", "backoff", "breaker", "cool_down", "intensity", "shutdown"})
_OF_CANDIDATE = frozenset(Candidate.__struct_fields__) - _OF_POOL


class Job(msgspec.Struct, eq=False):
    """Follow one request. been_to: the replicas that it was sent to. sent: where it is now."""

    request: Request[Any]
    reply: Reply[Any]
    context: Context
    has_begun: bool = False
    been_to: tuple[str, ...] = ()
    sent: Sent | None = None
    last: BaseException | None = None


class Pool(Sized):
    """Answer requests with equal replicas; supervise them one_for_one.

    recipe: what it is made of.
    affinity: have prompts that begin alike go to the same replica; None: it doesn't matter.
    autoscale: have their number follow the load; None: it stays, but for Resize.
    breaker: the circuit in front of each replica, so that one whose device is broken, and which
        fails quickly, isn't taken for the one with the least to do; None: there is none.
    intensity, cool_down, backoff: as a router's. shutdown: a replica's, see ``ChildSpec``.

    A request goes to the less loaded of two replicas drawn by chance. One that a replica refuses,
    or has not begun when its worker is lost, goes to another one. One that was in work then isn't
    tried again here: it may be the cause, and who sent it, the router, keeps count of that.
    """

    mailbox_bound = _BURST
    ranks_work = False

    def __init__(
        self,
        recipe: Recipe,
        *,
        requests: Sequence[type[Request[Any]]] = (GenerateText,),
        affinity: Affinity | None = None,
        autoscale: Autoscale | None = None,
        breaker: Breaker | None = _BREAKER,
        backoff: Backoff = RESTARTS,
        intensity: Intensity = _INTENSITY,
        cool_down: float | None = 10.0,
        shutdown: float | None = None,
    ) -> None:
        super().__init__(
            recipe,
            affinity,
            breaker,
            shutdown,
            autoscale=autoscale,
            backoff=backoff,
            intensity=intensity,
            cool_down=cool_down,
        )
        accept: Handler = deferring_handler(type(self)._accept)
        self.message_handlers = {**self.message_handlers, **dict.fromkeys(requests, accept)}
        self.stream_handlers = dict.fromkeys(requests, accept)

    def inspect(self) -> dict[str, Any]:
        now = self._now()
        infos = (replica.info(now) for replica in self._replicas.targets.values())
        count, ready = len(self._replicas.targets), self._replicas.ready
        return {
            **super().inspect(),
            "candidates": {info.id: msgspec.structs.asdict(info) for info in infos},
            "replicas": count,
            "ready_replicas": ready,
            "answers_with": f"{ready} of {count} replicas" if ready else None,
            "coming": None if self._coming is None else self._coming.id,
            "leaving": list(self._leaving),
            "in_hand": self._replicas.in_hand,
        }

    # -- requests

    def _accept(self, request: Request[Any]) -> Reply[Any]:
        reply = self.context.defer()
        job = Job(request, reply, copy_context())
        # What is gone on with has been in work: how long it waited then is not known here.
        if self._scaler is not None and getattr(request, "answered", None) is None:
            self._scaler.waited(self._now() - reply.asked_at, self._now())
        reply.when_closed(functools.partial(self._left, job))
        self._send(job)
        return reply

    def _send(self, job: Job) -> None:
        """Send to the replica of choice; nobody waits: what becomes of it is told to ``_done``."""
        if self._closing is not None:
            job.reply.fail(ActorStopped(self.context.path, str(self._closing)))
            return
        now = self._now()
        replica = self._replicas.choose(job.request, job.been_to, now)
        if replica is None:
            job.reply.fail(job.last or self._refusal(now))
            return
        job.been_to = (*job.been_to, replica.id)
        sent = self._replicas.send(replica, job, now)
        self._heed_circuit(replica)
        if sent is None:
            self._send(job)
            return
        job.sent = sent
        is_stream = isinstance(job.reply, StreamReply)
        pass_on = functools.partial(_pass_on, job) if is_stream else None
        try:
            ref = self._cells[replica.id].ref
            sent.down = forward(ref, job.request, job.reply, job.context, pass_on)
        except UnknownMessage:
            self._failed(sent, NotTaken(f"{type(job.request).__name__} can't be answered here."))
        except Exception as error:
            self._failed(sent, error)
        else:
            sent.down.when_closed(functools.partial(self._done, sent))

    def _done(self, sent: Sent) -> None:
        """Take note of the end of a send. Called by the replica: what fails here is ours."""
        answer = sent.down.answer
        if answer.cancelled() or self.context.is_over:
            return
        try:
            error = answer.exception()
            if error is not None:
                self._failed(sent, error)
            else:
                self._detach(sent)
                sent.replica.succeeded(sent, self._now())
                self._heed_circuit(sent.replica)
                sent.job.reply.set(answer.result())
            self._heed_drains()
        except Exception as error:
            self.context.crash(error)

    def _failed(self, sent: Sent, error: BaseException) -> None:
        job, replica, failure = sent.job, sent.replica, Failure.of(error)
        self._look_at(replica)
        self._detach(sent)
        replica.failed(sent, self._now(), failure)
        self._heed_circuit(replica)
        job.last = error
        if not job.has_begun and job.reply.is_open and _may_go_elsewhere(error, failure):
            self._send(job)
        else:
            job.reply.fail(error)

    def _left(self, job: Job) -> None:
        """See that no more work is done for a request that is answered, or not wanted any more."""
        sent = job.sent
        if sent is None:
            return
        self._detach(sent)
        answer = job.reply.answer
        late = None if answer.cancelled() else answer.exception()
        # A router in front has the timer, and calls off what is late.
        if isinstance(late, InferenceTimeout) or self._now() >= job.reply.deadline - _EARLY:
            sent.replica.late(sent, self._now())
            self._heed_circuit(sent.replica)
        else:
            sent.replica.ignored(sent, self._now())
        self._withdraw(sent)
        self._heed_drains()

    def _heed_drains(self) -> None:
        if self._drains:
            self._answer_drained()
        if self._leaving:
            self._end_leaving()

    def _withdraw(self, sent: Sent) -> None:
        sent.down.abandon()
        # The replica may yet say that this request cost it its worker.
        sent.down.when_failed_late(sent.job.reply.fail)

    def _detach(self, sent: Sent) -> None:
        sent.job.sent = None
        del sent.replica.attempts[sent]

    def _refusal(self, now: float) -> ModelOverloaded:
        details: dict[str, Any] = {}
        if wait := self._replicas.retry_after(now):
            details["retry_after"] = round(wait, 3)
        return ModelOverloaded(
            "No replica of this model can take a request now; try again later.", details=details
        )

    def _recall(self, replica: Replica) -> None:
        """Take back what is in its mailbox yet: there it would wait for the restart.

        All that it had begun has been answered by now, at its end.
        """
        for sent in tuple(replica.attempts):
            self._detach(sent)
            replica.ignored(sent, self._now())
            self._withdraw(sent)
            self._send(sent.job)
        self._answer_drained()


def _pass_on(job: Job, chunk: Any) -> Any:
    job.has_begun = True
    return chunk


def _may_go_elsewhere(error: BaseException, failure: Failure) -> bool:
    """Tell whether a replica failed a request for reasons that aren't the request's own."""
    if isinstance(error, ModelOverloaded | ActorStopped | MailboxFull):
        return True
    return failure.is_of_worker and not failure.lost_worker


def pool(
    id: str,
    worker: WorkerSpec,
    *,
    replicas: int | None = None,
    autoscale: Autoscale | None = None,
    requests: Sequence[type[Request[Any]]] | None = None,
    **options: Any,
) -> Candidate:
    """Describe a model with several workers, as a router's candidate; see ``Pool``.

    replicas: how many to begin with: 2, or the least that ``autoscale`` allows.

    ``options`` are the fields of ``Candidate`` and ``ChildSpec``, and of ``Pool``; the others go
    to each replica's ``ModelActor``. ``backoff``, ``breaker`` and ``shutdown`` are the replicas'.

    Raise ValueError for less than one replica, and for a number that ``autoscale`` doesn't allow.
    """
    requests = worker.requests if requests is None else requests
    count = first_replicas(replicas, autoscale)
    if autoscale is not None and not autoscale.least <= count <= autoscale.most:
        raise ValueError(f"{id}: autoscale doesn't allow {count} replicas")
    fields = {name: options.pop(name) for name in _OF_CANDIDATE & options.keys()}
    own = {name: options.pop(name) for name in _OF_POOL & options.keys()}
    recipe = Recipe(replica(worker, requests=requests, **options), count)
    made = functools.partial(Pool, recipe, autoscale=autoscale, requests=requests, **own)
    fields.setdefault("at_once", count * (worker.at_once or Limit().initial))
    return candidate(id, made, is_pool=True, **fields)


def first_replicas(replicas: int | None, autoscale: Autoscale | None) -> int:
    """Give how many replicas a pool begins with."""
    if replicas is not None:
        return replicas
    return 2 if autoscale is None else autoscale.least


def replica(worker: WorkerSpec, **options: Any) -> Callable[[], Actor]:
    """Give what makes a replica, for a Rollout to another model; see ``ModelActor``."""
    return functools.partial(ModelActor, worker, **options)
