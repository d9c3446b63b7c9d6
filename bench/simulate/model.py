"""A modelled model: parallel slots, a queue behind them, loads that take time, and faults."""

from __future__ import annotations

import functools
import math
from random import Random
from typing import Any, Protocol

import msgspec

from bench.simulate.ask import Ask
from bench.simulate.timeline import Timeline
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    InferenceError,
    ModelLoadingFailed,
    TextReply,
    Usage,
    WorkerLost,
)


class ModelKind(msgspec.Struct, frozen=True):
    """Say what a model is like. Times are in seconds.

    slots: requests in work at a time; those beyond wait inside. tokens_per_second: of each slot.
    mean_tokens, sigma: of the lognormal number of tokens that is asked for.
    first_token: from the begin of the work. fails_after: a request, where the model is broken.
    dies_after: the worker, of a poison prompt. loads, load_sigma: a load alone, lognormal.
    load_fails_after: a load, where the weights can't be read.
    """

    slots: int = 4
    tokens_per_second: float = 32.0
    mean_tokens: float = 128.0
    sigma: float = 0.5
    first_token: float = 0.3
    fails_after: float = 0.05
    dies_after: float = 0.3
    loads: float = 8.0
    load_sigma: float = 0.2
    load_fails_after: float = 2.0

    @property
    def capacity(self) -> float:
        """Give how many requests a second it can answer."""
        return self.slots * self.tokens_per_second / self.mean_tokens


class Job:
    """Be one send to a model. sent: what the sender knows it by. is_off: its end is unwanted."""

    __slots__ = ("ask", "has_begun", "is_off", "request", "sent")

    def __init__(self, ask: Ask, request: GenerateText, sent: Any) -> None:
        self.ask = ask
        self.request = request
        self.sent = sent
        self.has_begun = self.is_off = False


class Keeper(Protocol):
    """Hear what becomes of a model and of its jobs."""

    def is_ready(self, model: Model) -> None: ...
    def has_died(self, model: Model, error: InferenceError) -> None: ...
    def has_begun(self, job: Job) -> None: ...
    def has_finished(self, job: Job, reply: TextReply | None) -> None: ...
    def has_failed(self, job: Job, error: InferenceError) -> None: ...


class Storage:
    """Count who loads now: they share one disk. More than ``at_once`` make each other slower."""

    def __init__(self, at_once: float = math.inf) -> None:
        self.at_once = at_once
        self.loading = 0


class Model:
    """Answer jobs, as fast as the kind and the faults of the moment allow.

    slowness: what times of work are multiplied with. is_broken: each request fails at once.
    is_unreadable: no load succeeds. heeds: whether it stops work that nobody waits for.
    """

    def __init__(
        self,
        id: str,
        kind: ModelKind,
        keeper: Keeper,
        timeline: Timeline,
        loads: Random,
        storage: Storage,
        *,
        heeds: bool = True,
    ) -> None:
        self.id = id
        self.kind = kind
        self.slowness = 1.0
        self.is_broken = self.is_unreadable = self.is_up = self.is_ready = False
        self.running: dict[Job, None] = {}
        self.waiting: dict[Job, None] = {}
        self.deaths = 0
        self._keeper = keeper
        self._timeline = timeline
        self._loads = loads
        self._storage = storage
        self._heeds = heeds
        self._load: object = None

    # -- its life

    def start(self) -> None:
        """Begin to load."""
        kind = self.kind
        self.is_up = True
        self._load = load = object()
        self._storage.loading += 1
        shared = max(1.0, self._storage.loading / self._storage.at_once)
        seconds = self._loads.lognormvariate(0.0, kind.load_sigma) * kind.loads * shared
        if self.is_unreadable:
            seconds = kind.load_fails_after
        self._timeline.after(seconds, self._loaded, load)

    def _loaded(self, load: object) -> None:
        if load is not self._load:
            return
        if self.is_unreadable:
            self.die(ModelLoadingFailed("The weights can't be read.", timestamp=0.0))
            return
        self._load = None
        self._storage.loading -= 1
        self.is_ready = True
        self._keeper.is_ready(self)

    def die(self, error: InferenceError | None = None) -> None:
        """End as by SIGKILL, or with an error; the keeper takes back what is in hand."""
        if not self.is_up:
            return
        if self._load is not None:
            self._load = None
            self._storage.loading -= 1
        self.is_up = self.is_ready = False
        self.deaths += 1
        said = "The model's worker was lost; try again."
        self._keeper.has_died(self, error or WorkerLost(said, timestamp=0.0))

    def take_back(self) -> list[Job]:
        """Give the jobs that somebody waits for, and forget all."""
        jobs = [job for job in (*self.running, *self.waiting) if not job.is_off]
        self.running.clear()
        self.waiting.clear()
        return jobs

    # -- its work

    def accept(self, job: Job) -> None:
        """Take a job: begin with it, or have it wait for a slot."""
        job.ask.sends += 1
        if len(self.running) < self.kind.slots:
            self._begin(job)
        else:
            self.waiting[job] = None

    def call_off(self, job: Job) -> None:
        """Take note that nobody waits for the job. Who heeds that frees its slot."""
        job.is_off = True
        if self._heeds:
            self.waiting.pop(job, None)
            if job in self.running:
                self._free(job)

    def _begin(self, job: Job) -> None:
        kind, timeline = self.kind, self._timeline
        job.has_begun = True
        self.running[job] = None
        if job.ask.is_poison:
            timeline.after(kind.dies_after, self._poisoned, job)
        elif self.is_broken:
            timeline.after(kind.fails_after, self._fail, job)
        else:
            seconds = job.request.max_tokens / kind.tokens_per_second * self.slowness
            if job.ask.is_stream and seconds > kind.first_token * self.slowness:
                timeline.after(kind.first_token * self.slowness, self._stream, job)
            timeline.after(seconds, self._finish, job)

    def _poisoned(self, job: Job) -> None:
        if job in self.running:
            self.die()

    def _stream(self, job: Job) -> None:
        if not job.is_off and job in self.running:
            self._keeper.has_begun(job)

    def _finish(self, job: Job) -> None:
        if job not in self.running:
            return
        self._free(job)
        if not job.is_off:
            self._keeper.has_finished(job, reply_of(job.request.max_tokens))

    def _fail(self, job: Job) -> None:
        if job not in self.running:
            return
        self._free(job)
        if not job.is_off:
            error = GenerationFailed("The engine failed.", timestamp=0.0)
            self._keeper.has_failed(job, error)

    def _free(self, job: Job) -> None:
        """Free the job's slot, and begin with the next that waits."""
        del self.running[job]
        if self.waiting:
            following = next(iter(self.waiting))
            del self.waiting[following]
            self._begin(following)

    def __repr__(self) -> str:
        state = "ready" if self.is_ready else "loading" if self.is_up else "down"
        return f"<Model {self.id} {state}, {len(self.running)} run, {len(self.waiting)} wait>"


@functools.cache
def reply_of(tokens: int) -> TextReply:
    """Give a reply of so many tokens."""
    return TextReply("", "length", Usage(1, tokens))
