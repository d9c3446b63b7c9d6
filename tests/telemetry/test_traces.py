"""Spans of a request's way through routers: one trace a request, made of what the tree tells."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Sequence

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import StatusCode

from failsoft.actors import (
    Actor,
    System,
    bind_correlation_id,
    bind_traceparent,
    current_traceparent,
    handles,
)
from failsoft.actors.tracing import Tracing, is_sampled, trace_id_of
from failsoft.messages import GenerateText, GenerationFailed, InferenceError, TextReply, Usage
from failsoft.messages.events import Event
from failsoft.messages.trace_events import AttemptEnded
from failsoft.supervisors import NO_WAIT, candidate, router
from failsoft.telemetry import MetricsActor, Scrape, Traces, TracesActor, configure_logging
from failsoft.telemetry import traces as traces_module

from .spans import Raising, Spans, events_of, seconds_of, traceparent_of

pytestmark = pytest.mark.anyio

HELLO = GenerateText("hello")
FROM_ELSEWHERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Slow(Actor):
    @handles(GenerateText, interleave=True)
    async def generate(self, request: GenerateText) -> TextReply:
        await asyncio.sleep(2)
        structlog.get_logger().info("at work")
        return TextReply(current_traceparent() or "", "stop", Usage(3, 4))


class Broken(Actor):
    @handles(GenerateText)
    def generate(self, request: GenerateText) -> TextReply:
        raise GenerationFailed("it is broken")


async def spawn_router(system: System, *models: type[Actor], **options: object) -> None:
    candidates = [candidate(model.__name__.lower(), model) for model in models]
    spec = router("text", *candidates, backoff=NO_WAIT, **options)
    await system.spawn(spec.start, "text")


async def test_a_request_is_one_trace(system: System) -> None:
    """TL-06 The request, its time in the queue, and each model's try, with their times."""
    spans = Spans()
    await spans.listen(system)
    await spawn_router(system, Broken, Slow)
    bind_correlation_id("c-1")
    await system.ref("text").ask(HELLO)
    structlog.contextvars.clear_contextvars()
    await spans.settled(system)
    request = spans.one("text_completion text")
    assert request.parent is None
    assert sorted(spans.below(request)) == ["attempt broken", "attempt slow", "queue"]
    assert {span.context.trace_id for span in spans.all} == {request.context.trace_id}
    assert seconds_of(request) == seconds_of(spans.one("attempt slow")) == 2
    told = dict(request.attributes or {})
    assert told["failsoft.correlation_id"] == "c-1"
    assert told["gen_ai.request.model"] == "text"
    assert told["gen_ai.response.model"] == "slow"
    assert told["gen_ai.usage.output_tokens"] == 4
    assert (told["failsoft.outcome"], request.status.status_code) == ("ok", StatusCode.UNSET)
    broken = spans.one("attempt broken")
    assert broken.status.status_code is StatusCode.ERROR
    assert (broken.attributes or {})["error.type"] == "generation_failed"


async def test_what_happens_meanwhile_is_an_event(system: System) -> None:
    """LAW-9 Fallbacks, retries, and restarts of the router's models."""
    spans = Spans()
    await spans.listen(system)
    await spawn_router(system, Broken, Broken2, retries=1)
    with pytest.raises(InferenceError):
        await system.ref("text").ask(HELLO)
    await spans.settled(system)
    request = spans.one("text_completion text")
    assert {"FellBack", "RequestRetried", "RestartScheduled", "ChildRestarted"} <= set(
        events_of(request)
    )
    told = next(event for event in request.events if event.name == "FellBack")
    assert dict(told.attributes or {}) == {
        "failsoft.model": "broken",
        "failsoft.cause": "generation_failed",
    }
    assert request.status.status_code is StatusCode.ERROR


class Broken2(Broken):
    pass


async def test_a_request_is_part_of_the_callers_span(system: System) -> None:
    """TL-06 OpenTelemetry's own context goes through mailboxes; models' own spans are below."""
    spans = Spans()
    tracer = spans.provider.get_tracer("app")

    class Own(Slow):
        @handles(GenerateText)
        def own(self, request: GenerateText) -> TextReply:
            with tracer.start_as_current_span("own"):
                return TextReply("", "stop", Usage(1, 1))

    await spans.listen(system)
    await spawn_router(system, Own)
    with tracer.start_as_current_span("app"):
        await system.ref("text").ask(HELLO)
    await spans.settled(system)
    assert spans.below(spans.one("app")) == ["text_completion text"]
    assert "own" in spans.below(spans.one("text_completion text"))


async def test_a_request_is_part_of_the_trace_that_it_came_with(system: System) -> None:
    """TL-06 By its traceparent; what is done for it has the request's own span for a parent."""
    spans = Spans()
    await spans.listen(system)
    await spawn_router(system, Slow)
    assert bind_traceparent(FROM_ELSEWHERE)
    reply = await system.ref("text").ask(HELLO)
    await spans.settled(system)
    request = spans.one("text_completion text")
    assert request.parent is not None
    assert f"{request.parent.trace_id:032x}-{request.parent.span_id:016x}" in FROM_ELSEWHERE
    assert request.parent.is_remote
    assert reply.text == traceparent_of(request)


async def test_a_router_behind_a_router_is_below_it(system: System) -> None:
    """TL-06 One trace, however many routers."""
    spans = Spans()
    await spans.listen(system)
    inner = router("inner", candidate("slow", Slow))
    spec = router("text", candidate("inner", inner.start))
    await system.spawn(spec.start, "text")
    await system.ref("text").ask(HELLO)
    await spans.settled(system)
    (outer,) = spans.named("text_completion text")
    assert "text_completion text/inner" in spans.below(outer)


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "nonsense", FROM_ELSEWHERE[:-1], FROM_ELSEWHERE.upper(), f"{FROM_ELSEWHERE}-x"),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        f"ff{FROM_ELSEWHERE[2:]}",
        f"{FROM_ELSEWHERE}\n",
    ],
)
async def test_a_traceparent_that_is_none_is_left_out(wrong: str) -> None:
    """TL-06 As W3C has it: the request is the first of its trace."""
    assert not bind_traceparent(wrong)
    assert current_traceparent() is None


async def test_a_traceparent_of_a_later_version(system: System) -> None:
    """TL-06 What it adds at its end is left out."""
    assert bind_traceparent(f"01{FROM_ELSEWHERE[2:]}-more")
    assert current_traceparent() == f"01{FROM_ELSEWHERE[2:]}"


async def test_an_unsampled_trace_makes_no_events_and_goes_on_unsampled(system: System) -> None:
    """TL-06 Those who are asked on hear that nobody records it."""
    spans = Spans(ParentBased(ALWAYS_OFF))
    events: list[Event] = []
    system.events.subscribe(events.append)
    await spans.listen(system)
    await spawn_router(system, Slow)
    reply = await system.ref("text").ask(HELLO)
    assert trace_id_of(reply.text) != "0" * 32
    assert not is_sampled(reply.text)
    assert [event for event in events if getattr(event, "traceparent", None)] == []
    assert [event for event in events if isinstance(event, AttemptEnded)] == []
    assert spans.all == ()


async def test_without_a_tracer_provider_nothing_is_traced(system: System) -> None:
    """LAW-9 Off at no cost: routers have nobody to ask."""
    await system.spawn(TracesActor, "traces")
    await spawn_router(system, Slow)
    assert system.extension(Tracing).begin is None
    assert (await system.ref("text").ask(HELLO)).text == ""


async def test_a_tracer_that_fails_costs_no_answer(system: System) -> None:
    """TL-08 The request goes on, untraced."""
    spans = Spans(Raising())
    await spans.listen(system)
    await spawn_router(system, Slow)
    assert (await system.ref("text").ask(HELLO)).text == ""


async def test_spans_end_with_the_actor_that_hears_of_their_ends(system: System) -> None:
    """TL-08 Those of requests under way say so, and no more are begun."""
    spans = Spans()
    await spans.listen(system)
    await spawn_router(system, Slow)
    asked = asyncio.create_task(system.ref("text").ask(HELLO))
    await asyncio.sleep(1)
    await system.stop(system.ref("traces"))
    (request,) = spans.all
    assert (request.attributes or {})["failsoft.lost_sight"] is True
    await asked
    await system.ref("text").ask(HELLO)
    assert len(spans.all) == 1


async def test_open_spans_are_bounded(system: System) -> None:
    """TL-07 Beyond the bound, the oldest ends early."""
    spans = Spans()
    spans.traces = Traces(spans.provider, most_open=3)
    await spans.listen(system)
    await spawn_router(system, Slow)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(system.ref("text").ask(HELLO))
    await spans.settled(system)
    lost = [s for s in spans.all if "failsoft.lost_sight" in (s.attributes or {})]
    assert (len(lost), repr(spans.traces)) == (2, "<Traces 0 open>")


async def test_log_lines_and_exemplars_lead_to_the_trace(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TL-06 By the same ids."""
    output, root = io.StringIO(), logging.getLogger()
    monkeypatch.setattr(root, "handlers", root.handlers)
    monkeypatch.setattr(root, "level", root.level)
    spans = Spans()
    await spans.listen(system)
    await system.spawn(MetricsActor, "metrics")
    await spawn_router(system, Slow)
    configure_logging(output)
    bind_correlation_id("c-1")
    await system.ref("text").ask(HELLO)
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    await spans.settled(system)
    (line,) = [json.loads(line) for line in output.getvalue().splitlines()]
    trace_id = f"{spans.one('text_completion text').context.trace_id:032x}"
    assert (line["event"], line["trace_id"]) == ("at work", trace_id)
    assert line["correlation_id"] == "c-1"
    text = (await system.ref("metrics").ask(Scrape("openmetrics"))).decode()
    assert f'correlation_id="c-1",trace_id="{trace_id}"' in text


def test_failsoft_needs_no_opentelemetry() -> None:
    """LAW-9 It isn't imported unless traces are asked for, and then its lack is told in words."""
    program = """if True:
        import sys
        import failsoft, failsoft.telemetry, failsoft.supervisors, failsoft.actors.remote_http
        assert not [name for name in sys.modules if name.startswith("opentelemetry")]
        sys.modules["opentelemetry"] = None
        try:
            failsoft.telemetry.TracesActor
        except ImportError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'failsoft[otel]'" in done.stdout


def test_the_module_of_traces_uses_the_api_alone() -> None:
    """Which SDK there is, if any, is the app's to choose."""
    used: Sequence[object] = list(vars(traces_module).values())
    homes = {getattr(thing, "__module__", "") or "" for thing in used}
    assert [home for home in homes if home.startswith("opentelemetry.sdk")] == []
    assert trace in used
