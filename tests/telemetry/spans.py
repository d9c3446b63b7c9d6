"""What tests read spans with: OpenTelemetry's SDK, and all spans in the order of their ends."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler, SamplingResult

from failsoft.actors import System, handles
from failsoft.messages import Request
from failsoft.telemetry import Traces, TracesActor


class Raising(Sampler):
    """Fail where it is asked whether a trace is to be recorded."""

    def should_sample(self, *_: object, **__: object) -> SamplingResult:
        raise RuntimeError("no")

    def get_description(self) -> str:
        return "raising"


class _Settle(Request[None], frozen=True):
    pass


class _Traces(TracesActor):
    @handles(_Settle)
    def settle(self, _message: _Settle) -> None:
        pass


class Spans:
    """Keep all spans that end."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.traces = Traces(self.provider)

    async def listen(self, system: System) -> None:
        """Start a traces actor that gives them here."""
        await system.spawn(lambda: _Traces(self.traces), "traces")

    async def settled(self, system: System) -> None:
        """Wait until all that was told so far is in the spans."""
        await system.ref("traces").ask(_Settle())

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def below(self, parent: ReadableSpan) -> list[str]:
        """Give the names of the spans right below ``parent``, in the order of their beginnings."""
        below = [s for s in self.all if s.parent and s.parent.span_id == parent.context.span_id]
        return [span.name for span in sorted(below, key=lambda span: span.start_time or 0)]


def traceparent_of(span: ReadableSpan) -> str:
    place = span.context
    return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"


def events_of(span: ReadableSpan) -> list[str]:
    return [event.name for event in span.events]


def seconds_of(span: ReadableSpan) -> float:
    return round(((span.end_time or 0) - (span.start_time or 0)) / 1e9, 6)
