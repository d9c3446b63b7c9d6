"""The traces actor: has routers and the service begin spans, and hears how their requests end."""

from __future__ import annotations

import structlog

from failsoft.actors import ExitReason, handles
from failsoft.actors.tracing import Tracing
from failsoft.messages.events import (
    ChildRestarted,
    FellBack,
    RequestFinished,
    RequestHedged,
    RequestQuarantined,
    RequestResumed,
    RequestRetried,
    RequestShed,
    RestartScheduled,
)
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.messages.trace_events import AttemptEnded, RequestServed
from failsoft.telemetry.listener import EventListener
from failsoft.telemetry.traces import Traces

log = structlog.get_logger("failsoft.traces")


class TracesActor(EventListener):
    """Give the spans of all requests over HTTP and through routers to OpenTelemetry.

    Where no tracer provider is set when it starts, nothing is traced, and nothing costs.
    """

    def __init__(self, traces: Traces | None = None) -> None:
        self._traces = traces or Traces()

    async def on_start(self) -> None:
        if not self._traces.start(self.context.clock):
            log.info("traces.off", reason="no tracer provider is set; set one before the start")
            return
        await super().on_start()
        tracing = self.context.system.extension(Tracing)
        tracing.begin, tracing.begin_http = self._traces.begin, self._traces.begin_http

    async def on_stop(self, reason: ExitReason) -> None:
        tracing = self.context.system.extension(Tracing)
        if tracing.begin == self._traces.begin:
            tracing.begin = tracing.begin_http = None
            self._traces.end_all()
        await super().on_stop(reason)

    @handles(FellBack)
    def _fell_back(self, event: FellBack) -> None:
        self._traces.happened(event)

    @handles(RequestRetried)
    def _retried(self, event: RequestRetried) -> None:
        self._traces.happened(event)

    @handles(RequestResumed)
    def _resumed(self, event: RequestResumed) -> None:
        self._traces.happened(event)

    @handles(RequestHedged)
    def _hedged(self, event: RequestHedged) -> None:
        self._traces.happened(event)

    @handles(RequestShed)
    def _shed(self, event: RequestShed) -> None:
        self._traces.happened(event)

    @handles(RequestQuarantined)
    def _quarantined(self, event: RequestQuarantined) -> None:
        self._traces.happened(event)

    @handles(RestartScheduled)
    def _restart_scheduled(self, event: RestartScheduled) -> None:
        self._traces.happened_below(event)

    @handles(ChildRestarted)
    def _child_restarted(self, event: ChildRestarted) -> None:
        self._traces.happened_below(event)

    @handles(RequestServed)
    def _served(self, event: RequestServed) -> None:
        self._traces.served(event)

    @handles(AttemptEnded)
    def _attempt_ended(self, event: AttemptEnded) -> None:
        self._traces.attempt_ended(event)

    @handles(RequestFinished)
    def _finished(self, event: RequestFinished) -> None:
        self._traces.finished(event)

    @handles(HttpRequestFinished)
    def _http_finished(self, event: HttpRequestFinished) -> None:
        self._traces.http_finished(event)
