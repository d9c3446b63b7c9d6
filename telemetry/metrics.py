"""The metrics actor: events in, Prometheus's text format out.

Names follow OpenTelemetry's conventions for generative AI where there are any, ours start with
``failsoft_``; times are in seconds. Labels come from the tree and from fixed sets, never from a
caller's text.
"""

from __future__ import annotations

from typing import ClassVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from failsoft.actors import Actor, ExitReason, ModelState, Overflow, Subscription, handles
from failsoft.messages import Request
from failsoft.messages.events import (
    ActorFailed,
    ChildRestarted,
    DeadLettered,
    Event,
    FellBack,
    ModelStateChanged,
    RequestFinished,
    WorkerHung,
    WorkerReady,
)

# From a cached embedding to a long answer on a slow device.
SECONDS_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0),
)


class Scrape(Request[bytes], frozen=True):
    """Ask for all metrics, in Prometheus's text format (UTF-8)."""


class Metrics:
    """Hold the metrics, in a registry of their own."""

    fallbacks: Counter
    failures: Counter
    restarts: Counter
    hung: Counter
    dead_letters: Counter

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        asked, path = ("gen_ai_operation_name", "gen_ai_request_model"), ("path",)
        self.duration = Histogram(
            "gen_ai_server_request_duration_seconds",
            "Time from a request's arrival at its router to its end.",
            (*asked, "outcome"),
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.first_token = Histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "Time from a streamed request's arrival to its first chunk.",
            asked,
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.tokens = Counter(
            "gen_ai_client_token_usage",
            "Tokens read and made.",
            (*asked, "gen_ai_token_type"),
            registry=registry,
        )
        self.load = Histogram(
            "failsoft_worker_load_seconds",
            "Time from the making of a worker to ready.",
            path,
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.model_state = Gauge(
            "failsoft_model_state",
            "1 for the state a model is in.",
            ("path", "state"),
            registry=registry,
        )
        for name, help, labels in (
            ("fallbacks", "Requests that went past a model.", ("path", "model", "cause")),
            ("failures", "Failures of actors.", path),
            ("restarts", "Restarts of actors.", path),
            ("hung", "Workers killed because they hung.", path),
            ("dead_letters", "Messages that could not be delivered.", ("reason",)),
        ):
            setattr(self, name, Counter(f"failsoft_{name}", help, labels, registry=registry))


class MetricsActor(Actor):
    """Count what happens in the tree. Where it can't keep up, the oldest events are dropped.

    metrics: where the counts are kept; made outside of the actor, they go on after a restart.
    """

    overflow: ClassVar[Overflow] = Overflow.DROP_OLDEST
    mailbox_bound: ClassVar[int] = 10_000

    def __init__(self, metrics: Metrics | None = None) -> None:
        self._metrics = metrics or Metrics()
        self._subscription: Subscription | None = None

    async def on_start(self) -> None:
        events = [kind for kind in self.message_handlers if issubclass(kind, Event)]
        self._subscription = self.context.system.events.subscribe(self.context.ref, *events)

    async def on_stop(self, reason: ExitReason) -> None:
        if self._subscription is not None:
            self._subscription.cancel()

    @handles(Scrape)
    def _scrape(self, _request: Scrape) -> bytes:
        return generate_latest(self._metrics.registry)

    @handles(RequestFinished)
    def _request_finished(self, event: RequestFinished) -> None:
        metrics, model = self._metrics, event.model_used
        metrics.duration.labels(event.request, model, event.outcome).observe(event.seconds)
        if event.first_seconds is not None:
            metrics.first_token.labels(event.request, model).observe(event.first_seconds)
        metrics.tokens.labels(event.request, model, "input").inc(event.prompt_tokens)
        metrics.tokens.labels(event.request, model, "output").inc(event.completion_tokens)

    @handles(FellBack)
    def _fell_back(self, event: FellBack) -> None:
        self._metrics.fallbacks.labels(event.path, event.model, event.cause).inc()

    @handles(ActorFailed)
    def _actor_failed(self, event: ActorFailed) -> None:
        self._metrics.failures.labels(event.path).inc()

    @handles(ChildRestarted)
    def _child_restarted(self, event: ChildRestarted) -> None:
        self._metrics.restarts.labels(event.path).inc()

    @handles(WorkerHung)
    def _worker_hung(self, event: WorkerHung) -> None:
        self._metrics.hung.labels(event.path).inc()

    @handles(WorkerReady)
    def _worker_ready(self, event: WorkerReady) -> None:
        self._metrics.load.labels(event.path).observe(event.seconds)

    @handles(ModelStateChanged)
    def _model_state(self, event: ModelStateChanged) -> None:
        for state in ModelState:
            is_it = state.value == event.after
            self._metrics.model_state.labels(event.path, state.value).set(is_it)

    @handles(DeadLettered)
    def _dead_lettered(self, event: DeadLettered) -> None:
        self._metrics.dead_letters.labels(event.reason).inc()
