"""The metrics actor: events in, Prometheus's text format out."""

from __future__ import annotations

from typing import Final, Literal

from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from failsoft.actors import handles
from failsoft.messages import Request
from failsoft.messages.events import (
    ActorFailed,
    BreakerChanged,
    ChildForgotten,
    ChildRestarted,
    DegradationChanged,
    DeviceMemoryReported,
    FellBack,
    GenerationCancelled,
    LoopBlocked,
    ModelStateChanged,
    RequestFinished,
    RequestHedged,
    RequestQuarantined,
    RequestRetried,
    RequestShed,
    RestartCalledOff,
    RestartScheduled,
    SubscriberDropped,
    SupervisorEscalated,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
)
from failsoft.telemetry.events import ErrorSpiked, ErrorSpikeEnded
from failsoft.telemetry.failure_kind import failure_kind
from failsoft.telemetry.label_bound import OTHER
from failsoft.telemetry.listener import EventListener
from failsoft.telemetry.metrics import Metrics
from failsoft.telemetry.tree_metrics import CIRCUIT_STATES, LEVELS, MODEL_STATES, read_tree

# A picture of more actors takes too long for the event loop at each scrape.
MOST_ACTORS: Final = 1000

PROVIDER: Final = "failsoft"
# What the convention has a name for; other requests keep their own.
OPERATIONS: Final = {"GenerateText": "text_completion", "Embed": "embeddings"}

_RESTARTS_REMEMBERED: Final = 1000


class Scrape(Request[bytes], frozen=True):
    """Ask for all metrics, in UTF-8.

    format: ``text`` is Prometheus's, ``openmetrics`` has exemplars besides: the correlation id
        of a request in each bucket.
    """

    format: Literal["text", "openmetrics"] = "text"


class MetricsActor(EventListener):
    """Count what happens in the tree. Where it can't keep up, the oldest events are dropped.

    metrics: where the counts are kept; made outside of the actor, they go on after a restart.
    """

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._restarting: dict[str, str] = {}

    async def on_start(self) -> None:
        await super().on_start()
        # What has happened so far, or while this actor was down, was not heard.
        self._look_at_tree()

    def _look_at_tree(self) -> None:
        read_tree(self._metrics, self.context.system.tree())

    @handles(Scrape)
    def _scrape(self, request: Scrape) -> bytes:
        metrics, system = self._metrics, self.context.system
        if sum(1 for _ in system.paths) <= MOST_ACTORS:
            self._look_at_tree()
        metrics.dead_letters.catch_up(system.dead_letters.counts())
        metrics.refused.catch_up(metrics.bound.refused)
        generate = generate_openmetrics if request.format == "openmetrics" else generate_latest
        return bytes(generate(metrics.registry))

    # -- requests

    @handles(RequestFinished)
    def _request_finished(self, event: RequestFinished) -> None:
        metrics, is_ok, id = self._metrics, event.outcome == "ok", event.correlation_id
        operation = OPERATIONS.get(event.request, event.request)
        asked = (operation, PROVIDER, event.path, event.model_used)
        error = "" if is_ok else event.outcome
        metrics.duration.see(*asked, error, value=event.seconds, correlation_id=id)
        metrics.queue.see(event.path, value=event.queue_seconds)
        if is_ok and event.first_seconds is not None:
            metrics.first_token.see(*asked, value=event.first_seconds, correlation_id=id)
            if event.completion_tokens > 1:
                after_first = (event.seconds - event.first_seconds) / (event.completion_tokens - 1)
                metrics.per_token.see(*asked, value=after_first)
        if event.prompt_tokens:
            metrics.tokens.see(*asked, "input", value=event.prompt_tokens)
        if event.completion_tokens:
            metrics.tokens.see(*asked, "output", value=event.completion_tokens)
        if event.degradation_level != LEVELS[0]:
            metrics.degraded.add(event.path, event.degradation_level)

    @handles(RequestRetried)
    def _retried(self, event: RequestRetried) -> None:
        self._metrics.retries.add(event.path, event.cause)

    @handles(RequestHedged)
    def _hedged(self, event: RequestHedged) -> None:
        self._metrics.hedges.add(event.path, event.hedge)

    @handles(FellBack)
    def _fell_back(self, event: FellBack) -> None:
        self._metrics.fallbacks.add(event.path, event.model, event.cause)

    @handles(RequestShed)
    def _shed(self, event: RequestShed) -> None:
        self._metrics.shed.add(event.path, event.model)

    @handles(RequestQuarantined)
    def _quarantined(self, event: RequestQuarantined) -> None:
        self._metrics.quarantined.add(event.path)

    @handles(BreakerChanged)
    def _breaker(self, event: BreakerChanged) -> None:
        metrics = self._metrics
        metrics.breaker.set_one_of(event.path, event.model, event.after, states=CIRCUIT_STATES)
        if event.before != event.after:  # else it was forced, or its counts began anew
            metrics.breaker_changes.add(event.path, event.model, event.after)

    @handles(DegradationChanged)
    def _degradation(self, event: DegradationChanged) -> None:
        self._metrics.degradation.set_one_of(event.after, states=LEVELS)
        self._metrics.load.set(event.path, to=event.load)

    # -- actors

    @handles(ActorFailed)
    def _actor_failed(self, event: ActorFailed) -> None:
        self._metrics.failures.add(event.path, failure_kind(event.error))

    @handles(RestartScheduled)
    def _restart_scheduled(self, event: RestartScheduled) -> None:
        """Remember why; the restart itself doesn't tell. Siblings are taken along."""
        above = event.path.rpartition("/")[0]
        for id in event.together:
            self._remember(f"{above}/{id}", "sibling")
        self._remember(event.path, failure_kind(event.reason))

    def _remember(self, path: str, reason: str) -> None:
        if len(self._restarting) >= _RESTARTS_REMEMBERED:
            del self._restarting[next(iter(self._restarting))]
        self._restarting[path] = reason

    @handles(RestartCalledOff)
    def _restart_called_off(self, event: RestartCalledOff) -> None:
        for id in event.children:
            self._restarting.pop(f"{event.path}/{id}", None)

    @handles(ChildRestarted)
    def _child_restarted(self, event: ChildRestarted) -> None:
        self._metrics.restarts.add(event.path, self._restarting.pop(event.path, OTHER))

    @handles(ChildForgotten)
    def _child_forgotten(self, event: ChildForgotten) -> None:
        self._metrics.forget(event.path)

    @handles(SupervisorEscalated)
    def _escalated(self, event: SupervisorEscalated) -> None:
        self._metrics.escalations.add(event.path)

    @handles(LoopBlocked)
    def _loop_blocked(self, event: LoopBlocked) -> None:
        self._metrics.loop_blocked.see(event.path, value=event.seconds)

    @handles(SubscriberDropped)
    def _subscriber_dropped(self, event: SubscriberDropped) -> None:
        self._metrics.dropped.add(event.path)

    # -- workers

    @handles(WorkerReady)
    def _worker_ready(self, event: WorkerReady) -> None:
        self._metrics.worker_load.see(event.path, value=event.seconds)

    @handles(WorkerHung)
    def _worker_hung(self, event: WorkerHung) -> None:
        self._metrics.hung.add(event.path)

    @handles(WorkerEnded)
    def _worker_ended(self, event: WorkerEnded) -> None:
        if not event.asked:
            self._metrics.lost.add(event.path)

    @handles(ModelStateChanged)
    def _model_state(self, event: ModelStateChanged) -> None:
        self._metrics.model_state.set_one_of(event.path, event.after, states=MODEL_STATES)

    @handles(GenerationCancelled)
    def _cancelled(self, event: GenerationCancelled) -> None:
        self._metrics.cancel.see(event.path, value=event.seconds)

    @handles(DeviceMemoryReported)
    def _device_memory(self, event: DeviceMemoryReported) -> None:
        self._metrics.device_used.set(event.path, to=event.used_bytes)
        self._metrics.device_capacity.set(event.path, to=event.total_bytes)

    # -- what telemetry made of it

    @handles(ErrorSpiked)
    def _spiked(self, event: ErrorSpiked) -> None:
        self._metrics.spike.set(event.error_type, to=1)

    @handles(ErrorSpikeEnded)
    def _spike_ended(self, event: ErrorSpikeEnded) -> None:
        self._metrics.spike.set(event.error_type, to=0)
