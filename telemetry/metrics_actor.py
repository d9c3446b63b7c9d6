"""The metrics actor: events in, Prometheus's text format out."""

from __future__ import annotations

import functools
from typing import Final, Literal

from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from failsoft.actors import handles
from failsoft.actors.tracing import trace_id_of
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
    RequestResumed,
    RequestRetried,
    RequestShed,
    RestartCalledOff,
    RestartScheduled,
    StandbyPromoted,
    StandbyReady,
    StandbyRefused,
    SubscriberDropped,
    SupervisorEscalated,
    WorkerAbandoned,
    WorkerEnded,
    WorkerHung,
    WorkerReady,
    WorkerWornOut,
)
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.telemetry.events import (
    AlertLost,
    AlertSent,
    ErrorSpiked,
    ErrorSpikeEnded,
    HealthChanged,
)
from failsoft.telemetry.failure_kind import failure_kind
from failsoft.telemetry.gen_ai import OPERATIONS, PROVIDER
from failsoft.telemetry.label_bound import OTHER
from failsoft.telemetry.listener import EventListener
from failsoft.telemetry.metrics import Metrics
from failsoft.telemetry.tree_metrics import (
    CIRCUIT_STATES,
    HEALTH_STATES,
    LEVELS,
    MODEL_STATES,
    read_tree,
    refresh,
)

_RESTARTS_REMEMBERED: Final = 1000
_LAG_EVERY: Final = 1.0


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
        read_tree(self._metrics, self.context.system.tree())
        self._look_at_lag()

    def _look_at_lag(self) -> None:
        due = self.context.clock.now() + _LAG_EVERY
        # No message: it would wait for those before it.
        self.context.call_after(_LAG_EVERY, functools.partial(self._saw_lag, due))

    def _saw_lag(self, due: float) -> None:
        self._metrics.loop_lag.see(value=max(0.0, self.context.clock.now() - due))
        self._look_at_lag()

    @handles(Scrape)
    def _scrape(self, request: Scrape) -> bytes:
        refresh(self._metrics, self.context.system)
        generate = generate_openmetrics if request.format == "openmetrics" else generate_latest
        return bytes(generate(self._metrics.registry))

    # -- requests

    @handles(RequestFinished)
    def _request_finished(self, event: RequestFinished) -> None:
        metrics, is_ok, traceparent = self._metrics, event.outcome == "ok", event.traceparent
        trace_id = None if traceparent is None else trace_id_of(traceparent)
        ids = event.correlation_id, trace_id
        operation = OPERATIONS.get(event.request, event.request)
        asked = (operation, PROVIDER, event.path, event.model_used)
        error = "" if is_ok else event.outcome
        metrics.duration.see(*asked, error, value=event.seconds, ids=ids)
        metrics.queue.see(event.path, value=event.queue_seconds)
        if is_ok and event.first_seconds is not None:
            metrics.first_token.see(*asked, value=event.first_seconds, ids=ids)
            if event.completion_tokens > 1:
                after_first = (event.seconds - event.first_seconds) / (event.completion_tokens - 1)
                metrics.per_token.see(*asked, value=after_first)
        if event.prompt_tokens:
            metrics.tokens.see(*asked, "input", value=event.prompt_tokens)
        if event.completion_tokens:
            metrics.tokens.see(*asked, "output", value=event.completion_tokens)
        if event.degradation_level != LEVELS[0]:
            metrics.degraded.add(event.path, event.degradation_level)

    @handles(HttpRequestFinished)
    def _http_request_finished(self, event: HttpRequestFinished) -> None:
        trace_id = None if event.traceparent is None else trace_id_of(event.traceparent)
        status = str(event.status) if event.status else ""
        self._metrics.http_duration.see(
            *(event.method, event.scheme, event.route, status, event.error_type),
            value=event.seconds,
            ids=(event.correlation_id, trace_id),
        )

    @handles(RequestRetried)
    def _retried(self, event: RequestRetried) -> None:
        self._metrics.retries.add(event.path, event.cause)

    @handles(RequestResumed)
    def _resumed(self, event: RequestResumed) -> None:
        self._metrics.resumed.add(event.path, event.model)

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

    @handles(StandbyReady)
    def _standby_ready(self, event: StandbyReady) -> None:
        self._metrics.worker_load.see(event.path, value=event.seconds)

    @handles(StandbyPromoted)
    def _standby_promoted(self, event: StandbyPromoted) -> None:
        self._metrics.promoted.add(event.path)

    @handles(StandbyRefused)
    def _standby_refused(self, event: StandbyRefused) -> None:
        self._metrics.standby_refused.add(event.path)

    @handles(WorkerWornOut)
    def _worker_worn_out(self, event: WorkerWornOut) -> None:
        self._metrics.worn_out.add(event.path)

    @handles(WorkerAbandoned)
    def _worker_abandoned(self, event: WorkerAbandoned) -> None:
        self._metrics.abandoned.add(event.path)

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

    @handles(HealthChanged)
    def _health_changed(self, event: HealthChanged) -> None:
        self._metrics.health.set_one_of(event.after, states=HEALTH_STATES)

    @handles(AlertSent)
    def _alert_sent(self, event: AlertSent) -> None:
        self._metrics.alerts_sent.add(event.path)

    @handles(AlertLost)
    def _alert_lost(self, event: AlertLost) -> None:
        self._metrics.alerts_lost.add(event.path)
