"""Traces: spans of OpenTelemetry, made of what the tree tells of a request.

No function is wrapped. A request's span is begun by its router and is there while it lasts, so
that what is done for it, in other systems too, has a parent. All spans below it are made when
their times are known.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
)

from failsoft.actors import Clock
from failsoft.actors.request_context import correlation_var
from failsoft.actors.tracing import trace_id_of, traceparent_var
from failsoft.messages.events import Event, RequestFinished
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.messages.trace_events import AttemptEnded, RequestServed
from failsoft.telemetry import http_spans
from failsoft.telemetry.gen_ai import OPERATIONS, PROVIDER

log = structlog.get_logger("failsoft.traces")

MOST_OPEN: Final = 10_000
# Neither is an error of ours: the caller left, or there was another one to answer.
_NO_ERROR: Final = frozenset(("ok", "cancelled", "called_off"))
# What an event of a span needn't say: whose it is, and when.
_KNOWN: Final = frozenset(("path", "at", "correlation_id", "traceparent"))

Attributes = Mapping[str, Any]
_NO_MORE: Final[Attributes] = MappingProxyType({})


class OpenRequest(msgspec.Struct, eq=False):
    """Know a request whose span is yet to end. served: what workers told of it so far.

    path: its router's; empty for one over HTTP. began: in nanoseconds since the epoch.
    """

    path: str
    span: Span
    began: int
    served: list[RequestServed] = []


class Traces:
    """Make spans, with a tracer of ``provider``; None takes the one that the process has set.

    most_open: requests at once; beyond them, the oldest's span ends early.
    """

    def __init__(
        self, provider: trace.TracerProvider | None = None, *, most_open: int = MOST_OPEN
    ) -> None:
        self._provider = provider
        self._most_open = most_open
        self._open: dict[str, OpenRequest] = {}

    def __repr__(self) -> str:
        return f"<Traces {len(self._open)} open>"

    def start(self, clock: Clock) -> bool:
        """Make ready; False where there is nobody to give spans to.

        The clocks are set against the time of day once, so that a span's parts fit together.
        """
        provider = self._provider or trace.get_tracer_provider()
        if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
            return False
        self._tracer = provider.get_tracer("failsoft")
        self._clock = clock
        now = time.time_ns()
        self._system_epoch = now - _nanoseconds(clock.now())
        self._worker_epoch = now - time.monotonic_ns()
        return True

    # -- a request's own span

    def begin(self, path: str, kind: str, context: Any) -> str | None:
        """Begin a request's span, as ``Tracing`` has it: in the context that goes along."""
        try:
            traceparent: str | None = context.run(self._begin, path, kind)
        # A sampler, a span processor: they mustn't cost the request.
        except Exception:
            log.exception("traces.failed")
            return None
        return traceparent

    def _begin(self, path: str, kind: str) -> str | None:
        operation = OPERATIONS.get(kind, kind)
        attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.request.model": path,
        }
        return self._enter(f"{operation} {path}", attributes, _around(), SpanKind.INTERNAL, path)

    def begin_http(self, method: str, scope: Mapping[str, Any]) -> str | None:
        """Begin the span of a request over HTTP, as ``Tracing`` has it: in the current context."""
        try:
            attributes = http_spans.told_at_arrival(method, scope)
            # A server that we are mounted in, and that traces too, has the server's span already.
            is_inner = trace.get_current_span().get_span_context().is_valid
            kind = SpanKind.INTERNAL if is_inner else SpanKind.SERVER
            return self._enter(http_spans.name_of(method), attributes, _around(), kind, "")
        except Exception:
            log.exception("traces.failed")
            return None

    def _enter(
        self,
        name: str,
        attributes: Attributes,
        around: otel_context.Context,
        kind: SpanKind,
        path: str,
    ) -> str | None:
        """Begin a span, and have the current context be in it."""
        began = self._at(self._clock.now())
        correlation_id = _if_any("failsoft.correlation_id", correlation_var.get())
        span = self._tracer.start_span(
            name, around, kind, attributes={**attributes, **correlation_id}, start_time=began
        )
        place = span.get_span_context()
        if not place.is_valid:
            return None
        traceparent = f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"
        traceparent_var.set(traceparent)
        structlog.contextvars.bind_contextvars(trace_id=trace_id_of(traceparent))
        # Not detached: the context is the request's own, and ends with it.
        otel_context.attach(trace.set_span_in_context(span, around))
        if not span.is_recording():
            return None
        if len(self._open) >= self._most_open:
            self._end_early(next(iter(self._open)))
        self._open[traceparent] = OpenRequest(path, span, began)
        return traceparent

    def _end_early(self, traceparent: str) -> None:
        span = self._open.pop(traceparent).span
        span.set_attribute("failsoft.lost_sight", True)
        span.end(self._at(self._clock.now()))

    def end_all(self) -> None:
        """End all spans that are open: nobody will hear of what becomes of their requests."""
        for traceparent in tuple(self._open):
            self._end_early(traceparent)

    # -- what is told of it

    def happened(self, event: Any) -> None:
        """Take note of an event of one request."""
        found = self._open.get(event.traceparent)
        if found is not None:
            self._add_event(found, event)

    def happened_below(self, event: Event) -> None:
        """Take note of what happened to a child of a router: with all requests that it has."""
        router = event.path.rpartition("/")[0]
        for found in self._open.values():
            if found.path == router:
                self._add_event(found, event, {"failsoft.path": event.path})

    def served(self, event: RequestServed) -> None:
        """Keep what a worker told until the try is over."""
        found = self._open.get(event.traceparent)
        if found is not None:
            found.served.append(event)

    def attempt_ended(self, event: AttemptEnded) -> None:
        """Make the spans of a model's try."""
        found = self._open.get(event.traceparent)
        if found is None:
            return
        began, ended = self._at(event.at - event.seconds), self._at(event.at)
        attributes = {"gen_ai.response.model": event.model, "failsoft.is_hedge": event.is_hedge}
        span = self._span(f"attempt {event.model}", found.span, began, attributes)
        path = f"{event.path}/{event.model}"
        for served in [served for served in found.served if served.path == path]:
            found.served.remove(served)
            self._add_worker(span, began, served)
        _close(span, event.outcome, ended)

    def finished(self, event: RequestFinished) -> None:
        """End a request's span."""
        found = self._open.pop(event.traceparent or "", None)
        if found is None:
            return
        span, began = found.span, found.began
        self._span("queue", span, began, {}).end(began + _nanoseconds(event.queue_seconds))
        span.set_attributes(
            {
                "gen_ai.usage.input_tokens": event.prompt_tokens,
                "gen_ai.usage.output_tokens": event.completion_tokens,
                "failsoft.attempts": event.attempts,
                "failsoft.was_fallback": event.was_fallback,
                "failsoft.degradation_level": event.degradation_level,
                **_if_any("gen_ai.response.model", event.model_used),
            }
        )
        if event.first_seconds is not None:
            first_at = began + _nanoseconds(event.first_seconds)
            span.add_event("first chunk", timestamp=first_at)
        _close(span, event.outcome, self._at(event.at))

    def http_finished(self, event: HttpRequestFinished) -> None:
        """End the span of a request over HTTP, which is as long as its metric tells."""
        found = self._open.pop(event.traceparent or "", None)
        if found is not None:
            http_spans.tell_end(found.span, event)
            found.span.end(found.began + _nanoseconds(event.seconds))

    # -- spans below it

    def _add_worker(self, attempt: Span, sent: int, served: RequestServed) -> None:
        """Add what a worker told: how long it waited, in which batch it was, and its two parts."""
        arrived, ended = self._at_worker(served.arrived), self._at_worker(served.ended)
        began = ended if served.began is None else self._at_worker(served.began)
        self._span("queue", attempt, sent, {}).end(began)
        worker = self._span("worker", attempt, arrived, {"process.pid": served.pid})
        if served.began is not None:
            told = {"failsoft.batch.most_at_once": served.most_at_once}
            links = [Link(_place(traceparent)) for traceparent in served.beside]
            batch = self._span("batch", worker, began, told, links)
            if served.shown is not None:
                shown = self._at_worker(served.shown)
                self._span("prefill", batch, began, {}).end(shown)
                self._span("decode", batch, shown, {}).end(ended)
            batch.end(ended)
        worker.end(ended)

    def _span(
        self,
        name: str,
        parent: Span,
        began: int,
        attributes: Attributes,
        links: Sequence[Link] = (),
    ) -> Span:
        within = trace.set_span_in_context(parent, otel_context.Context())
        return self._tracer.start_span(
            name, within, attributes=dict(attributes), links=links, start_time=began
        )

    def _add_event(self, found: OpenRequest, event: Event, more: Attributes = _NO_MORE) -> None:
        attributes: dict[str, Any] = {
            f"failsoft.{name}": value
            for name in event.__struct_fields__
            if name not in _KNOWN and (value := getattr(event, name)) is not None
        }
        found.span.add_event(type(event).__name__, {**attributes, **more}, self._at(event.at))

    def _at(self, seconds: float) -> int:
        """Give a time of the system's clock in nanoseconds since the epoch."""
        return self._system_epoch + _nanoseconds(seconds)

    def _at_worker(self, seconds: float) -> int:
        return self._worker_epoch + _nanoseconds(seconds)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)


def _around() -> otel_context.Context:
    """Give what the request is part of: the caller's span, or what came with it from elsewhere."""
    around = otel_context.get_current()
    traceparent = traceparent_var.get()
    if traceparent is None or trace.get_current_span(around).get_span_context().is_valid:
        return around
    return trace.set_span_in_context(NonRecordingSpan(_place(traceparent, is_remote=True)), around)


def _place(traceparent: str, *, is_remote: bool = False) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, TraceFlags(int(flags, 16)))


def _close(span: Span, outcome: str, ended: int) -> None:
    span.set_attribute("failsoft.outcome", outcome)
    if outcome not in _NO_ERROR:
        span.set_attribute("error.type", outcome)
        span.set_status(StatusCode.ERROR, outcome)
    span.end(ended)


def _if_any(name: str, value: str | None) -> dict[str, str]:
    return {name: value} if value else {}
