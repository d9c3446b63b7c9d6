"""Events: what happened in the tree, one frozen Struct each, published on the event bus.

``path`` is the actor it happened to; ``at`` is in seconds on the system's clock. Texts such as
``reason`` are for people and the log; nothing is decided by parsing them. ``traceparent`` is a
request's place in a trace, where that is recorded.
"""

from __future__ import annotations

from failsoft.messages.request import Message


class Event(Message, frozen=True, kw_only=True, tag=True):
    """Be the base of events."""

    path: str
    at: float


class ActorStarted(Event, frozen=True, kw_only=True):
    """An actor's ``on_start`` is done; ``incarnation`` counts from 1."""

    incarnation: int


class ActorStopping(Event, frozen=True, kw_only=True):
    """An actor ends, or heeds that it is asked to: it takes no more work, and cleans up."""


class ActorStopped(Event, frozen=True, kw_only=True):
    """An actor ended as it was asked to, or of its own accord."""

    reason: str


class ActorFailed(Event, frozen=True, kw_only=True):
    """An actor ended because of an error."""

    error: str


class LoopBlocked(Event, frozen=True, kw_only=True):
    """An actor's handler held the event loop for ``seconds``, without an await, at ``place``."""

    seconds: float
    place: str


class DeadLettered(Event, frozen=True, kw_only=True):
    """A message or a reply could not be delivered to ``path``."""

    message_type: str
    reason: str


class ChildStarting(Event, frozen=True, kw_only=True):
    """A supervisor begins to start its child ``path``."""


class ChildForgotten(Event, frozen=True, kw_only=True):
    """A child that has ended isn't started again: its place is gone, and all below it."""

    reason: str


class RestartScheduled(Event, frozen=True, kw_only=True):
    """A supervisor will start its child ``path`` again, ``delay`` seconds from now.

    together: the ids of all children that are started again then, in order.
    """

    attempt: int
    delay: float
    reason: str
    together: tuple[str, ...] = ()


class RestartCalledOff(Event, frozen=True, kw_only=True):
    """A supervisor won't start ``children`` (ids) at the time that it had said."""

    children: tuple[str, ...]


class ChildRestarted(Event, frozen=True, kw_only=True):
    """A child that had ended is up again; ``restarts`` counts all of its restarts."""

    restarts: int


class SupervisorCompleted(Event, frozen=True, kw_only=True):
    """A supervisor ends because its significant ``child`` (an id) has."""

    child: str


class SupervisorEscalated(Event, frozen=True, kw_only=True):
    """A supervisor gave up after too many restarts and failed upward."""

    child: str
    reason: str


class ChildCooledDown(Event, frozen=True, kw_only=True):
    """A child failed too often; it is left alone for ``seconds``, its fallbacks answer."""

    seconds: float
    reason: str


class ModelStateChanged(Event, frozen=True, kw_only=True):
    """A model actor went from one readiness state to another."""

    before: str
    after: str


class ModelLoading(Event, frozen=True, kw_only=True):
    """A worker has read ``done_bytes`` of the ``total_bytes`` of its model (0: not known)."""

    done_bytes: int
    total_bytes: int


class GenerationCancelled(Event, frozen=True, kw_only=True):
    """A worker stopped a request that nobody wanted any more, ``seconds`` after it was told to."""

    seconds: float
    correlation_id: str | None


class WorkerSpawned(Event, frozen=True, kw_only=True):
    """A worker process was made for a model actor."""

    pid: int


class WorkerReady(Event, frozen=True, kw_only=True):
    """A worker has loaded its model, ``seconds`` after it was made."""

    pid: int
    seconds: float


class StandbyReady(Event, frozen=True, kw_only=True):
    """A spare worker has loaded its model, ``seconds`` after it was made, and waits."""

    pid: int
    seconds: float


class StandbyRefused(Event, frozen=True, kw_only=True):
    """There is no room in memory for a spare worker. It is looked for again."""

    reason: str


class StandbyPromoted(Event, frozen=True, kw_only=True):
    """The spare worker ``pid`` took the place of the one that was lost or worn out."""

    pid: int


class WorkerWornOut(Event, frozen=True, kw_only=True):
    """A worker is to be replaced, once it has ended what it has in hand."""

    pid: int
    reason: str


class WorkerHung(Event, frozen=True, kw_only=True):
    """A worker showed no life, or made no progress, and was killed for it."""

    pid: int
    reason: str


class WorkerEnded(Event, frozen=True, kw_only=True):
    """A worker process is gone. ``asked`` tells whether its actor had it stopped.

    error_type: the kind of the error that it leaves behind, unasked: why its load failed, or
        ``worker_lost``.
    """

    pid: int
    reason: str
    asked: bool
    error_type: str = ""


class WorkerAbandoned(Event, frozen=True, kw_only=True):
    """A worker's thread didn't leave when it was told to, and goes on with nobody to listen.

    abandoned: how many such threads this process has now.
    """

    reason: str
    abandoned: int


class DeviceMemoryReported(Event, frozen=True, kw_only=True):
    """A model's worker told how much of its device's memory is in use, by whomever."""

    used_bytes: int
    total_bytes: int


class DegradationChanged(Event, frozen=True, kw_only=True):
    """The load, from 0 to 1, asks for another level of degradation; or an operator does."""

    before: str
    after: str
    load: float
    forced: bool


class BreakerChanged(Event, frozen=True, kw_only=True):
    """The circuit in front of ``model`` went from one state to another.

    open_seconds: how long it stays open, where it opened.
    """

    model: str
    before: str
    after: str
    reason: str
    open_seconds: float


class RequestRetried(Event, frozen=True, kw_only=True):
    """All models failed a request; it goes round again in ``delay`` seconds, the nth time.

    is_owed: a worker was lost over it; such a round isn't of the retry budget.
    """

    round: int
    delay: float
    cause: str
    is_owed: bool
    correlation_id: str | None
    traceparent: str | None = None


class RequestResumed(Event, frozen=True, kw_only=True):
    """A stream's worker was lost; another one is to go on after the ``tokens`` that it has."""

    model: str
    tokens: int
    cause: str
    correlation_id: str | None
    traceparent: str | None = None


class RequestHedged(Event, frozen=True, kw_only=True):
    """A request was sent to ``hedge`` too, since ``model`` hadn't begun to answer."""

    model: str
    hedge: str
    correlation_id: str | None
    traceparent: str | None = None


class RequestShed(Event, frozen=True, kw_only=True):
    """A request that waited for ``model`` was given up for one that goes before it."""

    model: str
    priority: int
    correlation_id: str | None
    traceparent: str | None = None


class RequestQuarantined(Event, frozen=True, kw_only=True):
    """A request took down ``workers_lost`` workers; the like of it are refused for a while."""

    fingerprint: str
    request: str
    workers_lost: int
    seconds: float
    correlation_id: str | None
    traceparent: str | None = None


class FellBack(Event, frozen=True, kw_only=True):
    """A router went past ``model`` for a request; ``cause`` is an error kind or a state."""

    model: str
    cause: str
    correlation_id: str | None
    traceparent: str | None = None


class RequestFinished(Event, frozen=True, kw_only=True):
    """A router ended a request. ``outcome`` is ``ok`` or an error kind.

    seconds: from arrival to end. queue_seconds: from arrival until it was sent to a model.
    first_seconds: from arrival to the first chunk, for streams.
    degradation_level: what the load allowed when it arrived.
    """

    request: str
    outcome: str
    seconds: float
    queue_seconds: float
    first_seconds: float | None
    model_used: str
    was_fallback: bool
    attempts: int
    degradation_level: str
    prompt_tokens: int
    completion_tokens: int
    correlation_id: str | None
    traceparent: str | None = None


class SubscriberDropped(Event, frozen=True, kw_only=True):
    """An event subscriber failed or fell too far behind, and gets no more events."""

    reason: str
