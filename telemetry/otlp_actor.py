"""The OTLP actor: gives the metrics to OpenTelemetry's collector, at intervals."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar, Final

import anyio
import structlog
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.resources import Resource

from failsoft.actors import Actor, ExitReason, handles
from failsoft.messages import Message
from failsoft.telemetry.daemon_thread import DaemonThread
from failsoft.telemetry.metrics import Metrics
from failsoft.telemetry.otlp import metrics_data
from failsoft.telemetry.tree_metrics import refresh

log = structlog.get_logger("failsoft.otlp")

_LAST_WAIT: Final = 2.0


class Export(Message, frozen=True):
    """Send the metrics now."""


class OtlpActor(Actor):
    """Send ``metrics`` by OTLP over HTTP every ``every`` seconds, and once more at the end.

    exporter: one of OpenTelemetry's; by default that of its environment variables
        (``OTEL_EXPORTER_OTLP_ENDPOINT`` and its like). resource: who sends.

    It is done in a thread. A collector that is down or hangs delays nothing: what it misses is in
    the next export, since all that is counted is counted from the start.
    """

    shutdown_timeout: ClassVar[float] = 2 * _LAST_WAIT

    def __init__(
        self,
        metrics: Metrics,
        exporter: MetricExporter | None = None,
        *,
        every: float = 60.0,
        resource: Resource | None = None,
    ) -> None:
        if every <= 0:
            raise ValueError(f"every must be over 0 s; it is {every:g}")
        self._metrics = metrics
        self._exporter = exporter
        self._every = every
        self._resource = resource or Resource.create({"service.name": "failsoft"})
        self._thread = DaemonThread("failsoft otlp")
        self._sending: asyncio.Future[MetricExportResult] | None = None
        self._since = time.time_ns()

    async def on_start(self) -> None:
        self._sender = self._exporter or OTLPMetricExporter()
        self.context.send_every(self._every, Export())

    async def on_stop(self, reason: ExitReason) -> None:
        with anyio.move_on_after(_LAST_WAIT):
            if self._sending is not None:
                await asyncio.wait([self._sending])
            await self._export(Export())
        if self._exporter is None:
            self._sender.shutdown()

    @handles(Export, interleave=True)
    async def _export(self, _message: Export) -> None:
        if self._sending is not None and not self._sending.done():
            return
        refresh(self._metrics, self.context.system)
        self._sending = asyncio.wrap_future(self._thread.submit(self._send))
        try:
            # Shielded: a thread goes on, whoever has left.
            is_sent = await asyncio.shield(self._sending) is MetricExportResult.SUCCESS
        # Whatever an exporter raises: the next one has it all.
        except Exception as error:
            log.warning("otlp.failed", exc_info=error)
            return
        if not is_sent:
            log.warning("otlp.failed", reason="the collector didn't take the metrics")

    def _send(self) -> MetricExportResult:
        return self._sender.export(
            metrics_data(self._metrics.registry, self._resource, self._since)
        )
