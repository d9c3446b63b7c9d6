"""What is told of each request over HTTP, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from failsoft.actors import Actor, System, handles, streams
from failsoft.messages import (
    GenerateText,
    GenerationFailed,
    ModelOverloaded,
    TextChunk,
    TextReply,
    Usage,
)
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.service.http import FailsoftApp, failsoft_app
from failsoft.service.http.gateway import Gateway
from failsoft.service.http.observed import Observed
from failsoft.service.http.policy import HttpPolicy
from failsoft.supervisors import child, supervisor
from failsoft.telemetry import MetricsActor
from failsoft.telemetry.log_events import level_of
from failsoft.testing import VirtualTimeLoop

pytestmark = pytest.mark.anyio

DURATION = "http_server_request_duration_seconds"
ACTIVE = "http_server_active_requests"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in virtual time."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


class Text(Actor):
    """Answer after a second; in a stream, a word a second."""

    @handles(GenerateText, interleave=True)
    async def generate(self, request: GenerateText) -> TextReply:
        await asyncio.sleep(1)
        if request.prompt == "overload":
            raise ModelOverloaded("Not now.").as_answer()
        if request.prompt == "bug":
            raise ZeroDivisionError
        return TextReply("hello", "stop", Usage(1, 1))

    @streams(GenerateText, interleave=True)
    async def stream(self, request: GenerateText) -> AsyncIterator[TextChunk]:
        for word in ("one ", "two ", "three "):
            await asyncio.sleep(1)
            yield TextChunk(word)
        if request.prompt == "half":
            raise GenerationFailed("It broke.").as_answer()
        yield TextChunk("", 0, "stop", Usage(1, 3))


@pytest.fixture
async def system(clean_loop: None, plain_logs: None) -> AsyncIterator[System]:
    async with System() as system:
        tree = supervisor("root", child("text", Text), child("metrics", MetricsActor))
        await system.spawn(tree.start, "root")
        yield system


@pytest.fixture
def told(system: System) -> list[HttpRequestFinished]:
    """Give the list that what is told goes to."""
    told: list[HttpRequestFinished] = []
    system.events.subscribe(told.append, HttpRequestFinished)
    return told


@pytest.fixture
def app(system: System) -> FailsoftApp:
    return failsoft_app(system, routes={"text": "root/text"})


@pytest.fixture
async def client(app: FailsoftApp) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://failsoft") as client:
        yield client


async def scraped(client: httpx2.AsyncClient, name: str) -> list[tuple[Mapping[str, str], float]]:
    """Give the samples of ``name``, as /metrics has them."""
    text = (await client.get("/metrics")).text
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


async def test_a_request_is_told_when_it_is_over(
    client: httpx2.AsyncClient, told: list[HttpRequestFinished]
) -> None:
    """LAW-9 How long it took and what became of it, under the id in its answer."""
    given = {"X-Correlation-ID": "c-1"}
    await client.post("/generate", json={"prompt": "hello"}, headers=given)
    (event,) = told
    assert (event.method, event.scheme, event.route) == ("POST", "http", "/generate")
    assert (event.status, event.error_type, event.seconds) == (200, "", 1.0)
    assert (event.correlation_id, event.traceparent) == ("c-1", None)


async def test_it_is_a_metric_of_the_standard_name(client: httpx2.AsyncClient) -> None:
    """TL-05 OpenTelemetry's, in Prometheus's spelling."""
    await client.post("/generate", json={"prompt": "hello"})
    labels = {
        "http_request_method": "POST",
        "url_scheme": "http",
        "http_route": "/generate",
        "http_response_status_code": "200",
        "error_type": "",
    }
    assert await scraped(client, f"{DURATION}_sum") == [(labels, 1.0)]


async def test_scrapes_and_probes_count_too(client: httpx2.AsyncClient) -> None:
    """TL-05 All that is answered is; a scrape is in the next one."""
    await client.get("/livez")
    await client.get("/metrics")
    routes = {labels["http_route"] for labels, _ in await scraped(client, f"{DURATION}_count")}
    assert routes == {"/livez", "/metrics"}


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/my/secret", ("GET", "", 404)),
        ("GET", "/generate", ("GET", "/generate", 405)),
        ("SECRET", "/generate", ("_OTHER", "/generate", 405)),
        ("SECRET", "/my/secret", ("_OTHER", "", 404)),
    ],
)
async def test_nothing_that_a_client_made_up_is_a_label(
    client: httpx2.AsyncClient,
    told: list[HttpRequestFinished],
    method: str,
    path: str,
    said: tuple[str, str, int],
) -> None:
    """TL-05 Neither a path that isn't served nor a method: such labels would be without bound."""
    await client.request(method, path)
    (event,) = told
    assert (event.method, event.route, event.status) == said
    assert "secret" not in (await client.get("/metrics")).text.lower()


async def test_a_scheme_that_a_proxy_made_up_is_no_label(
    app: FailsoftApp, told: list[HttpRequestFinished]
) -> None:
    """TL-05 It may be what a client said."""
    await Client(app, "/livez", scheme="secret").run()
    assert told[0].scheme == "_OTHER"


@pytest.mark.parametrize(
    ("path", "said"),
    [("/secret/livez", ("/livez", 200)), ("/secret/nowhere", ("", 404))],
)
async def test_what_it_is_mounted_under_is_no_label(
    app: FailsoftApp, told: list[HttpRequestFinished], path: str, said: tuple[str, int]
) -> None:
    """TL-05 That may have a parameter, and then is a caller's text."""
    outer = Starlette(routes=[Mount("/{tenant}", app)])
    transport = httpx2.ASGITransport(outer)
    async with httpx2.AsyncClient(transport=transport, base_url="http://failsoft") as client:
        await client.get(path)
    assert [(event.route, event.status) for event in told] == [said]


@pytest.mark.parametrize(
    ("prompt", "status", "error_type"),
    [
        ("overload", 503, "model_overloaded"),
        ("bug", 500, "generation_failed"),
        ("", 422, ""),
    ],
)
async def test_an_error_has_its_kind_where_it_is_not_the_clients(
    client: httpx2.AsyncClient,
    told: list[HttpRequestFinished],
    prompt: str,
    status: int,
    error_type: str,
) -> None:
    """TL-05 By the conventions, a 4xx is none of the server's."""
    await client.post("/generate", json={"prompt": prompt})
    assert [(event.status, event.error_type) for event in told] == [(status, error_type)]


async def test_an_answer_of_5xx_that_is_no_error_of_ours_has_its_status_for_a_kind(
    app: FailsoftApp, client: httpx2.AsyncClient, told: list[HttpRequestFinished]
) -> None:
    """TL-05 As of a probe, while the service drains."""
    app.gateway.drain()
    await client.get("/readyz")
    assert [(event.status, event.error_type) for event in told] == [(503, "503")]


async def test_a_stream_lasts_to_its_last_byte(
    client: httpx2.AsyncClient, told: list[HttpRequestFinished]
) -> None:
    """TL-05 Not to its first, which is a second after it came."""
    await client.post("/generate", json={"prompt": "hello", "stream": True})
    assert [(event.status, event.error_type, event.seconds) for event in told] == [(200, "", 3.0)]


async def test_a_stream_that_breaks_off_has_its_error(
    client: httpx2.AsyncClient, told: list[HttpRequestFinished]
) -> None:
    """TL-05 Its status has been sent by then, and tells nothing."""
    await client.post("/generate", json={"prompt": "half", "stream": True})
    assert [(event.status, event.error_type) for event in told] == [(200, "generation_failed")]


class Client:
    """Be a client that leaves after ``leaves_after`` seconds."""

    def __init__(
        self, app: FailsoftApp, path: str, leaves_after: float | None = None, **scope: object
    ) -> None:
        self._app = app
        self._leaves_after = leaves_after
        self._body: bytes | None = None
        self._scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [(b"content-type", b"application/json")],
            **scope,
        }

    async def run(self, **body: object) -> None:
        if body:
            self._scope["method"], self._body = "POST", json.dumps(body).encode()
        await self._app(self._scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body}
        assert self._leaves_after is not None
        await asyncio.sleep(self._leaves_after)
        return {"type": "http.disconnect"}

    async def _send(self, _message: Message) -> None: ...


@pytest.mark.parametrize(("is_stream", "status"), [(False, 0), (True, 200)])
async def test_a_client_that_leaves_is_told_as_that(
    app: FailsoftApp, told: list[HttpRequestFinished], is_stream: bool, status: int
) -> None:
    """SRV-02 With a status where one was sent, and none where none was."""
    leaves_after = 1.5 if is_stream else 0.5
    await Client(app, "/generate", leaves_after).run(prompt="hello", stream=is_stream)
    (event,) = told
    assert (event.status, event.error_type) == (status, "client_gone")
    assert event.seconds == pytest.approx(leaves_after, abs=0.05)


async def test_a_client_that_reads_too_slowly_is_told_as_gone(
    system: System, told: list[HttpRequestFinished]
) -> None:
    """SRV-06 It is dropped at the bound, and its answer with it."""

    async def send(_message: Message) -> None:
        await asyncio.sleep(100)

    routes = {"text": "root/text"}
    app = failsoft_app(system, routes=routes, policy=HttpPolicy(slow_reader_limit=5))
    client = Client(app, "/generate", leaves_after=1000)
    client._send = send  # type: ignore[method-assign]
    await client.run(prompt="hello", stream=True)
    assert [(event.status, event.error_type) for event in told] == [(200, "client_gone")]


async def test_a_request_that_is_cancelled_is_told(
    client: httpx2.AsyncClient, told: list[HttpRequestFinished]
) -> None:
    """SRV-02 A server that ends, or an app around this one that gives up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await client.post("/generate", json={"prompt": "hello"})
    assert [(event.status, event.error_type) for event in told] == [(0, "CancelledError")]


async def test_an_app_that_fails_is_a_500(system: System, told: list[HttpRequestFinished]) -> None:
    """TL-05 Which Starlette answers with; it has the error's class for a kind."""

    async def failing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    gateway = Gateway(system, {"text": "root/text"}, HttpPolicy(), None)
    with pytest.raises(ZeroDivisionError):
        await Observed(failing, gateway)({"type": "http", "method": "GET"}, *nobody())
    assert [(event.status, event.error_type) for event in told] == [(500, "ZeroDivisionError")]


async def test_requests_under_way_are_counted(client: httpx2.AsyncClient) -> None:
    """TL-05 By method; those that are over aren't, whatever became of them."""
    async with asyncio.TaskGroup() as tasks:
        for prompt in ("hello", "overload"):
            tasks.create_task(client.post("/generate", json={"prompt": prompt}))
        leaving = tasks.create_task(client.post("/generate", json={"prompt": "hello"}))
        await asyncio.sleep(0.5)
        kinds = {"url_scheme": "http"}
        posts, gets = {"http_request_method": "POST"}, {"http_request_method": "GET"}
        assert await scraped(client, ACTIVE) == [({**posts, **kinds}, 3), ({**gets, **kinds}, 1)]
        leaving.cancel()
    assert await scraped(client, ACTIVE) == [({**posts, **kinds}, 0), ({**gets, **kinds}, 1)]


def nobody() -> tuple[Any, Any]:
    """Give a client's two ends, which nobody is to use."""
    return object(), object()


async def test_where_nobody_listens_nothing_is_measured(clean_loop: None) -> None:
    """LAW-9 No listener, no cost: the app gets what the server gave, as it was."""
    seen: list[tuple[object, object]] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((receive, send))

    ends = nobody()
    async with System() as system:
        observed = Observed(app, Gateway(system, {"text": "root/text"}, HttpPolicy(), None))
        await observed({"type": "http", "method": "GET"}, *ends)
        await observed({"type": "websocket"}, *ends)
    await observed({"type": "http", "method": "GET"}, *ends)  # no tree runs
    assert seen == [ends] * 3


@pytest.mark.parametrize(
    ("status", "error_type", "level"),
    [(200, "", "debug"), (200, "generation_failed", "info"), (404, "", "info"), (503, "x", "info")],
)
def test_what_was_refused_before_any_router_is_in_the_log(
    status: int, error_type: str, level: str
) -> None:
    """LAW-9 Of what a router had, RequestFinished tells already."""
    event = HttpRequestFinished(
        path="http",
        at=0.0,
        method="GET",
        scheme="http",
        route="",
        status=status,
        error_type=error_type,
        seconds=0.1,
        correlation_id="c-1",
    )
    assert level_of(event) == level
