"""Traces to OpenTelemetry's collector, where its environment variables say. Needs ``otel``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from failsoft.telemetry.daemon_thread import DaemonThread

log = structlog.get_logger("failsoft.traces")

# Seconds. A collector that is down or hangs would have the end wait for ten.
_LAST_WAIT: Final = 2.0


@contextlib.contextmanager
def sending_traces() -> Iterator[None]:
    """Set the tracer provider, and send what is left at the end of the block.

    The sampler is that of ``OTEL_TRACES_SAMPLER``.
    """
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        last = DaemonThread("failsoft traces").submit(provider.shutdown)
        try:
            last.result(_LAST_WAIT)
        except TimeoutError:
            log.warning("traces.not_sent", seconds=_LAST_WAIT)
