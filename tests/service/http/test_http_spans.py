"""The server's span of each request over HTTP, and what is below it, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler
from opentelemetry.trace import SpanKind, StatusCode
from tests.telemetry.spans import Raising

from failsoft.actors import Actor, System, current_traceparent, handles
from failsoft.actors.tracing import Tracing, is_sampled
from failsoft.messages import GenerateText, GenerationFailed, TextReply, Usage
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.service.http import failsoft_app
from failsoft.supervisors import candidate, router
from failsoft.telemetry import Traces, TracesActor
from failsoft.testing import VirtualTimeLoop

pytestmark = pytest.mark.anyio

FROM_ELSEWHERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in virtual time."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class Text(Actor):
    """Answer after a second, with the place in the trace."""

    @handles(GenerateText, interleave=True)
    async def generate(self, request: GenerateText) -> TextReply:
        await asyncio.sleep(1)
        if request.prompt == "break":
            raise GenerationFailed("It broke.").as_answer()
        return TextReply(current_traceparent() or "", "stop", Usage(1, 1))


class Traced:
    """Keep the spans of a service; give a client of it."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.events: list[HttpRequestFinished] = []

    async def client(self, system: System) -> httpx2.AsyncClient:
        system.events.subscribe(self.events.append, HttpRequestFinished)
        await system.spawn(lambda: TracesActor(Traces(self.provider)), "traces")
        spec = router("text", candidate("primary", Text), retries=0)
        await system.spawn(spec.start, "text")
        transport = httpx2.ASGITransport(failsoft_app(system, routes={"text": "text"}))
        return httpx2.AsyncClient(transport=transport, base_url="http://failsoft")

    async def one(self, name: str) -> ReadableSpan:
        """Give the one span of that name, once all that was told is in the spans."""
        await asyncio.sleep(1)  # of virtual time: until nothing is left to do
        (span,) = (span for span in self._exporter.get_finished_spans() if span.name == name)
        return span

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()


@pytest.fixture
def traced() -> Traced:
    return Traced()


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    async with System() as system:
        yield system


@pytest.fixture
async def client(system: System, traced: Traced) -> AsyncIterator[httpx2.AsyncClient]:
    async with await traced.client(system) as client:
        yield client


def seconds_of(span: ReadableSpan) -> float:
    return ((span.end_time or 0) - (span.start_time or 0)) / 1e9


async def test_a_request_has_the_servers_span(client: httpx2.AsyncClient, traced: Traced) -> None:
    """TL-06 As OpenTelemetry's conventions have it, named by the template."""
    headers = {"X-Correlation-ID": "c-1", "User-Agent": "tests/1"}
    await client.post("/generate?key=secret", json={"prompt": "hello"}, headers=headers)
    span = await traced.one("POST /generate")
    assert (span.kind, span.parent) == (SpanKind.SERVER, None)
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/generate",
        "http.response.status_code": 200,
        "url.path": "/generate",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "user_agent.original": "tests/1",
        "failsoft.correlation_id": "c-1",
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_it_is_as_long_as_its_metric_tells(
    client: httpx2.AsyncClient, traced: Traced
) -> None:
    """TL-06 The conventions want both to be the same."""
    await client.post("/generate", json={"prompt": "hello"})
    span = await traced.one("POST /generate")
    assert seconds_of(span) == pytest.approx(traced.events[0].seconds)
    assert traced.events[0].seconds == 1.0


async def test_the_routers_span_is_below_it(client: httpx2.AsyncClient, traced: Traced) -> None:
    """TL-06 And with it all that was done for the request: one trace."""
    await client.post("/generate", json={"prompt": "hello"})
    span, routed = await traced.one("POST /generate"), await traced.one("text_completion text")
    assert routed.parent is not None
    assert routed.parent.span_id == span.context.span_id
    assert {each.context.trace_id for each in traced.all} == {span.context.trace_id}
    assert {each.name for each in traced.all} >= {"queue", "attempt primary"}


async def test_it_is_part_of_the_trace_that_it_came_with(
    client: httpx2.AsyncClient, traced: Traced
) -> None:
    """TL-06 By its traceparent; what is sent on is the place of the router's span below it."""
    given = {"traceparent": FROM_ELSEWHERE}
    said = (await client.post("/generate", json={"prompt": "hello"}, headers=given)).json()["text"]
    span, routed = await traced.one("POST /generate"), await traced.one("text_completion text")
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}-{span.parent.span_id:016x}" in FROM_ELSEWHERE
    assert span.parent.is_remote
    assert said == f"00-{routed.context.trace_id:032x}-{routed.context.span_id:016x}-01"


async def test_within_a_servers_span_it_is_an_inner_one(
    client: httpx2.AsyncClient, traced: Traced
) -> None:
    """TL-06 Where it is mounted in an app that traces its requests itself."""
    tracer = traced.provider.get_tracer("app")
    with tracer.start_as_current_span("outer") as outer:
        await client.get("/livez")
    span = await traced.one("GET /livez")
    assert span.kind is SpanKind.INTERNAL
    assert span.parent is not None
    assert span.parent.span_id == outer.get_span_context().span_id


@pytest.mark.parametrize(
    ("prompt", "status", "error_type", "code"),
    [
        ("break", 500, "generation_failed", StatusCode.ERROR),
        ("", 422, None, StatusCode.UNSET),
    ],
)
async def test_a_failure_is_one_of_the_span_where_it_is_the_servers(
    client: httpx2.AsyncClient,
    traced: Traced,
    prompt: str,
    status: int,
    error_type: str | None,
    code: StatusCode,
) -> None:
    """TL-06 A client's fault isn't; what its status code says isn't said again."""
    await client.post("/generate", json={"prompt": prompt})
    span = await traced.one("POST /generate")
    told = span.attributes or {}
    assert (told["http.response.status_code"], told.get("error.type")) == (status, error_type)
    assert (span.status.status_code, span.status.description) == (code, None)


async def test_a_request_without_an_answer_has_no_status_code(
    client: httpx2.AsyncClient, traced: Traced
) -> None:
    """TL-06 And its error says why."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await client.post("/generate", json={"prompt": "hello"})
    span = await traced.one("POST /generate")
    assert "http.response.status_code" not in (span.attributes or {})
    assert (span.attributes or {})["error.type"] == "CancelledError"
    assert span.status.description == "CancelledError"


async def test_neither_path_nor_method_is_in_a_name(
    client: httpx2.AsyncClient, traced: Traced
) -> None:
    """TL-06 Of what isn't known there is no end; it is in attributes, cut short."""
    await client.request("SECRET", "/" + 1000 * "x")
    span = await traced.one("HTTP")
    told = span.attributes or {}
    assert (told["http.request.method"], told["http.request.method_original"]) == (
        "_OTHER",
        "SECRET",
    )
    assert len(str(told["url.path"])) == 500
    assert "http.route" not in told


async def test_an_unsampled_request_goes_on_unsampled(system: System) -> None:
    """TL-06 Its event tells of no trace, and whoever is asked on hears that nobody records it."""
    traced = Traced(ParentBased(ALWAYS_OFF))
    async with await traced.client(system) as client:
        said = (await client.post("/generate", json={"prompt": "hello"})).json()["text"]
    assert not is_sampled(said)
    assert [event.traceparent for event in traced.events] == [None]
    assert traced.all == ()


async def test_a_tracer_that_fails_costs_no_answer(system: System) -> None:
    """TL-08 The request goes on, untraced."""
    async with await Traced(Raising()).client(system) as client:
        answer = await client.post("/generate", json={"prompt": "hello"})
    assert (answer.status_code, answer.json()["text"]) == (200, "")


async def test_without_a_traces_actor_nobody_is_asked_for_a_span(
    system: System, client: httpx2.AsyncClient
) -> None:
    """LAW-9 Off at no cost, also when it ends while the service goes on."""
    await system.stop(system.ref("traces"))
    assert system.extension(Tracing).begin_http is None
    assert (await client.post("/generate", json={"prompt": "hello"})).json()["text"] == ""
