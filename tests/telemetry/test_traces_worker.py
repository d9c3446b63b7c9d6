"""A trace goes on into the worker process, and its log lines and errors bear the same id."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from failsoft.actors import System, bind_correlation_id, bind_traceparent
from failsoft.gpu.script import Die, Log, Raise, Say, Script, When
from failsoft.gpu.scripted import scripted
from failsoft.messages import GenerateText, InferenceError
from failsoft.messages.trace_events import RequestServed
from failsoft.supervisors import model, router
from failsoft.telemetry import (
    ErrorLog,
    ErrorsActor,
    GetErrors,
    MetricsActor,
    Scrape,
    configure_logging,
    log_events,
)
from failsoft.testing import EventRecorder

from .spans import Spans, traceparent_of

pytestmark = pytest.mark.anyio

PLAYS = Script(
    rules=[
        When("break", [Log("in the worker"), Raise("a bug")]),
        When("die", [Die()]),
        When("slow", [Say("a ", delay=0.05, times=20)]),
    ],
    otherwise=[Log("in the worker"), Say("one two three")],
    max_batch=2,
)


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: there is a real process."""
    return "asyncio"


@pytest.fixture
def spans() -> Spans:
    return Spans()


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """Give all log lines; leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    output = io.StringIO()
    configure_logging(output)
    yield output
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
async def system(clean_loop: None, output: io.StringIO, spans: Spans) -> AsyncIterator[System]:
    """Give a system with one model behind a router, traced, and with all telemetry."""
    async with System() as system:
        log_events(system.events)
        await spans.listen(system)
        await system.spawn(MetricsActor, "metrics")
        await system.spawn(lambda: ErrorsActor(ErrorLog()), "errors")
        spec = router("text", model("primary", scripted(PLAYS)), retries=0)
        await system.spawn(spec.start, "text")
        yield system


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


async def test_the_way_into_the_worker_is_in_the_trace(system: System, spans: Spans) -> None:
    """TL-06 Queue, worker, batch, and in it the time to the first token and that after it."""
    await system.ref("text").ask(GenerateText("hello"))
    await spans.settled(system)
    request, attempt = spans.one("text_completion text"), spans.one("attempt primary")
    assert sorted(spans.below(request)) == ["attempt primary", "queue"]
    assert spans.below(attempt) == ["queue", "worker"]
    worker, batch = spans.one("worker"), spans.one("batch")
    assert spans.below(worker) == ["batch"]
    assert spans.below(batch) == ["prefill", "decode"]
    pid = next(top for top in system.tree() if top.path == "text").children[0].shows["pid"]
    assert (worker.attributes or {})["process.pid"] == pid
    # Both clocks are one, and each part lies within what it is a part of.
    chain = [request, attempt, worker, batch]
    for outer, inner in itertools.pairwise(chain):
        assert outer.start_time is not None
        assert inner.start_time is not None
        assert outer.end_time is not None
        assert inner.end_time is not None
        assert outer.start_time <= inner.start_time <= inner.end_time <= outer.end_time


async def test_a_batch_is_linked_with_those_that_share_it(system: System, spans: Spans) -> None:
    """TL-06 From one request to the one that was in the engine when it was begun."""
    text = system.ref("text")
    async with text.stream(GenerateText("slow")) as first:
        await anext(first)
        await text.ask(GenerateText("hello"))
        async for _ in first:
            pass
    await spans.settled(system)
    second, slow = spans.named("batch")
    slow_request = spans.named("text_completion text")[1]
    assert [link.context.span_id for link in second.links] == [slow_request.context.span_id]
    assert not slow.links
    assert (slow.attributes or {})["failsoft.batch.most_at_once"] == 2


async def test_one_id_leads_to_all_that_is_known_of_a_request(
    system: System, spans: Spans, output: io.StringIO
) -> None:
    """TL-06 Error, error report, spans, exemplar, and log lines here and in the worker."""
    bind_correlation_id("c-1")
    with pytest.raises(InferenceError) as failed:
        await system.ref("text").ask(GenerateText("break"))
    structlog.contextvars.clear_contextvars()
    assert failed.value.correlation_id == "c-1"
    await spans.settled(system)
    report = await system.ref("errors").ask(GetErrors())
    assert "c-1" in {record.correlation_id for record in report.recent}
    request = spans.one("text_completion text")
    assert (request.attributes or {})["failsoft.correlation_id"] == "c-1"
    text = (await system.ref("metrics").ask(Scrape("openmetrics"))).decode()
    assert 'correlation_id="c-1",trace_id="' + traceparent_of(request)[3:35] in text
    of_it = {line["event"]: line for line in lines(output) if line.get("correlation_id") == "c-1"}
    assert of_it["in the worker"]["path"] == "text/primary"
    assert "Error" in str(of_it["the engine failed"]["exception"])
    assert of_it["RequestFinished"]["trace_id"] == traceparent_of(request)[3:35]


async def test_a_worker_isnt_asked_for_the_times_of_what_nobody_records(
    system: System, spans: Spans
) -> None:
    """TL-06 The trace that the request came with isn't sampled."""
    events = EventRecorder(system)
    bind_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
    await system.ref("text").ask(GenerateText("hello"))
    await spans.settled(system)
    assert events.of(RequestServed) == []
    assert spans.all == ()


async def test_a_worker_that_dies_leaves_a_whole_trace(system: System, spans: Spans) -> None:
    """TL-06 LAW-1 The try has the error, and no part of it stays open."""
    async with asyncio.timeout(60):
        with pytest.raises(InferenceError):
            await system.ref("text").ask(GenerateText("die"))
    await spans.settled(system)
    attempt = spans.one("attempt primary")
    assert (attempt.attributes or {})["error.type"] == "worker_lost"
    assert spans.named("worker") == []
    assert repr(spans.traces) == "<Traces 0 open>"
