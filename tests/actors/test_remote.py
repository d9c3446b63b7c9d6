"""The remote model, with a real server over real sockets that does as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
import ssl
import sys
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import msgspec
import pytest

from failsoft.actors import (
    MailboxFull,
    Ref,
    StartFailed,
    System,
    bind_correlation_id,
    bind_traceparent,
    http_client,
)
from failsoft.actors.clock import LoopClock
from failsoft.actors.remote import RemoteModel
from failsoft.actors.remote_http import RemoteHttp
from failsoft.actors.remote_spec import RemoteSpec
from failsoft.actors.request_context import deadline_var
from failsoft.messages import (
    ChatMessage,
    GenerateText,
    InferenceTimeout,
    InvalidInput,
    ModelOverloaded,
    Usage,
)
from failsoft.messages.answered import Answered
from failsoft.messages.embedding import Embed
from failsoft.messages.events import ModelStateChanged
from failsoft.testing import EventRecorder

from .remote_server import (
    DONE,
    PATIENT,
    STREAM_HEAD,
    Connection,
    RemoteServer,
    event,
    remote_server,
    says_json,
    streams_events,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs", "no_proxy")]

CHAT = GenerateText(
    (ChatMessage("system", "Be kind."), ChatMessage("user", "Hi")),
    max_tokens=7,
    temperature=0.5,
    top_p=0.9,
    stop=("END",),
    seed=3,
    frequency_penalty=0.5,
)
PLAIN = GenerateText("Once", max_tokens=5)
SAID = {
    "choices": [{"message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}
CHAT_PATH = "/v1/chat/completions"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: real sockets are waited for."""
    return "asyncio"


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Talk to the server itself."""
    monkeypatch.setenv("NO_PROXY", "*")


@contextlib.asynccontextmanager
async def remote(
    server: RemoteServer, **options: Any
) -> AsyncIterator[tuple[System, Ref, EventRecorder]]:
    """Run a remote model of ``server``; give the system, the ref and the events."""
    spec = RemoteSpec(base_url=server.base_url, model="tiny", **options)
    async with System() as system:
        events = EventRecorder(system)
        yield system, await system.spawn(lambda: RemoteModel(spec), "remote"), events


def piece(text: str = "", finish_reason: str | None = None) -> dict[str, Any]:
    delta = {"content": text} if text else {}
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def shows(system: System) -> dict[str, Any]:
    (node,) = system.tree()
    return node.shows


async def test_a_chat_goes_out_and_its_answer_comes_back() -> None:
    """All that was asked is in the body, with the key as a bearer token."""
    async with remote_server() as server, remote(server, api_key="sk-abc") as (_, model, _events):
        server.put_on(CHAT_PATH, says_json(SAID))
        bind_correlation_id("id-1")
        bind_traceparent(TRACEPARENT)
        reply = await model.ask(CHAT, timeout=PATIENT)
        (asked,) = server.of(CHAT_PATH)
    assert (reply.text, reply.finish_reason, reply.usage) == ("Hello!", "stop", Usage(9, 2))
    assert asked.body == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop": ["END"],
        "seed": 3,
        "frequency_penalty": 0.5,
    }
    assert asked.headers["authorization"] == "Bearer sk-abc"
    assert asked.headers["x-correlation-id"] == "id-1"
    assert asked.headers["traceparent"] == TRACEPARENT


async def test_a_plain_prompt_is_a_completion() -> None:
    """Cut at its length; the tokens are named as the server wants them."""
    said = {"choices": [{"text": " upon", "finish_reason": "length"}]}
    async with (
        remote_server() as server,
        remote(server, max_tokens_field="max_completion_tokens") as (_, model, _events),
    ):
        server.put_on("/v1/completions", says_json(said))
        reply = await model.ask(PLAIN, timeout=PATIENT)
        (asked,) = server.of("/v1/completions")
    assert (reply.text, reply.finish_reason) == (" upon", "length")
    assert asked.body["prompt"] == "Once"
    assert asked.body["max_completion_tokens"] == 5


async def test_a_streamed_chat_comes_in_pieces_and_one_end() -> None:
    """WK-14 The last chunk alone has reason and usage; the connection is used again."""
    usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}
    play = streams_events(piece(), piece("Hel"), piece("lo \u2603"), piece("", "stop"), usage, DONE)
    async with remote_server() as server, remote(server) as (_, model, _events):
        server.put_on(CHAT_PATH, play)
        for _ in range(2):
            async with model.stream(CHAT, timeout=PATIENT) as chunks:
                got = [chunk async for chunk in chunks]
            assert [chunk.text for chunk in got] == ["Hel", "lo \u2603", ""]
            assert [chunk.finish_reason for chunk in got] == [None, None, "stop"]
            assert [chunk.usage for chunk in got] == [None, None, Usage(9, 4)]
        first, second = server.of(CHAT_PATH)
    assert first.body["stream"] is True
    assert first.body["stream_options"] == {"include_usage": True}
    assert first.connection == second.connection


@pytest.mark.parametrize("drops", [False, True])
async def test_a_stream_that_is_not_closed_as_it_should_ends_with_its_last_event(
    drops: bool,
) -> None:
    """Held open for ever, or dropped: the answer is whole."""
    left = asyncio.Event()

    async def play(connection: Connection) -> None:
        await connection.send(STREAM_HEAD, event(piece("one", "stop")), event(DONE))
        if drops:
            connection.close()
        else:
            await connection.left()
        left.set()

    async with remote_server() as server, remote(server, silence_limit=5.0) as (_, model, _events):
        server.put_on(CHAT_PATH, play)
        async with model.stream(CHAT, timeout=PATIENT) as chunks:
            assert [chunk.text async for chunk in chunks] == ["one", ""]
        async with asyncio.timeout(PATIENT):
            await left.wait()


async def test_a_streamed_completion_without_usage_counts_its_pieces() -> None:
    """Another reason to end is told; an end by the connection's is one, too."""
    events = [
        {"choices": [{"text": text, "finish_reason": reason}], "error": None, "usage": None}
        for text, reason in (("a", None), ("b", "content_filter"))
    ]
    async with remote_server() as server, remote(server) as (_, model, _events):
        server.put_on("/v1/completions", streams_events(*events))
        async with model.stream(PLAIN, timeout=PATIENT) as chunks:
            got = [chunk async for chunk in chunks]
    assert [chunk.text for chunk in got] == ["a", "b", ""]
    assert (got[-1].finish_reason, got[-1].usage) == ("stop", Usage(0, 2))
    assert got[-1].warning is not None
    assert "content_filter" in got[-1].warning


async def test_vectors_come_back_in_order_and_with_length_one() -> None:
    """Whatever order and length the server gives them."""
    said = {
        "data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }
    async with remote_server() as server, remote(server) as (_, model, _events):
        server.put_on("/v1/embeddings", says_json(said))
        reply = await model.ask(Embed(("a", "b")), timeout=PATIENT)
        (asked,) = server.of("/v1/embeddings")
    assert reply.vectors == ((0.6, 0.8), (0.0, 1.0))
    assert (reply.dimensions, reply.usage) == (2, Usage(5, 0))
    assert asked.body == {"model": "tiny", "input": ["a", "b"], "encoding_format": "float"}


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_caller_that_leaves_closes_the_connection(streamed: bool) -> None:
    """WK-11 The server sees it; the slot is free for the next."""
    left = asyncio.Event()

    async def play(connection: Connection) -> None:
        if streamed:
            await connection.send(STREAM_HEAD, event(piece("one")))
        await connection.left()
        left.set()

    async with (
        remote_server() as server,
        remote(server, max_concurrent=1) as (system, model, _events),
    ):
        server.put_on(CHAT_PATH, play, says_json(SAID))
        if streamed:
            async with model.stream(CHAT, timeout=PATIENT) as chunks:
                assert (await anext(chunks)).text == "one"
        else:
            asking = asyncio.create_task(model.ask(CHAT, timeout=PATIENT))
            await server.count(CHAT_PATH, 1)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        async with asyncio.timeout(PATIENT):
            await left.wait()
        assert (await model.ask(CHAT, timeout=PATIENT)).text == "Hello!"
        assert (shows(system)["running"], shows(system)["failed"]) == (0, 0)


async def test_a_deadline_closes_the_connection() -> None:
    """WK-19 A server that never answers is an ``inference_timeout`` at the deadline."""
    left = asyncio.Event()

    async def play(connection: Connection) -> None:
        await connection.left()
        left.set()

    async with remote_server() as server, remote(server) as (_, model, _events):
        server.put_on(CHAT_PATH, play)
        with pytest.raises(InferenceTimeout) as caught:
            await model.ask(CHAT, timeout=0.2)
        async with asyncio.timeout(PATIENT):
            await left.wait()
    assert caught.value.details["timeout_seconds"] == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_time_that_is_left_goes_along(streamed: bool) -> None:
    """WK-19 For a server that heeds it; without a deadline there is nothing to tell."""
    async with remote_server() as server, remote(server) as (_, model, _events):
        for timeout in (PATIENT, math.inf):
            if streamed:
                server.put_on(CHAT_PATH, streams_events(piece("Hello!", "stop"), DONE))
                async with model.stream(CHAT, timeout=timeout) as chunks:
                    assert [chunk.text async for chunk in chunks] == ["Hello!", ""]
            else:
                server.put_on(CHAT_PATH, says_json(SAID))
                await model.ask(CHAT, timeout=timeout)
        timed, free = server.of(CHAT_PATH)
    assert 0 < float(timed.headers["x-request-timeout"]) <= PATIENT
    assert "x-request-timeout" not in free.headers


async def test_of_a_deadline_that_has_just_passed_no_server_is_told_nonsense() -> None:
    """A request without a time would be refused as wrong, and that is the caller's fault."""
    async with remote_server() as server:
        server.put_on(CHAT_PATH, says_json(SAID))
        spec = RemoteSpec(base_url=server.base_url, model="tiny")
        async with contextlib.aclosing(await RemoteHttp.open(spec, LoopClock())) as http:
            context = contextvars.copy_context()
            context.run(deadline_var.set, 0.0)
            await asyncio.create_task(http.post("/chat/completions", b"{}"), context=context)
        (asked,) = server.of(CHAT_PATH)
    assert float(asked.headers["x-request-timeout"]) > 0


async def test_no_more_than_allowed_is_asked_at_a_time_and_priority_goes_first() -> None:
    """AD-01 Those that wait keep their order otherwise; one too many is refused."""
    gate = asyncio.Event()

    async def held(connection: Connection) -> None:
        await gate.wait()
        await says_json(SAID)(connection)

    async with (
        remote_server() as server,
        remote(server, max_concurrent=2, queue_limit=2, check_every=0.01) as (system, model, _),
    ):
        server.put_on(CHAT_PATH, held)
        asking = [asyncio.create_task(model.ask(CHAT, timeout=PATIENT)) for _ in range(2)]
        await server.count(CHAT_PATH, 2)
        for tokens, priority in ((100, 0), (200, 1)):
            request = GenerateText(CHAT.prompt, max_tokens=tokens, priority=priority)
            asking.append(asyncio.create_task(model.ask(request, timeout=PATIENT)))
        # Time enough for a request to get to the server.
        await server.count("/v1/models", len(server.of("/v1/models")) + 2)
        with pytest.raises(MailboxFull):
            await model.ask(CHAT, timeout=PATIENT)
        assert len(server.of(CHAT_PATH)) == shows(system)["running"] == 2
        gate.set()
        await asyncio.gather(*asking)
        tokens_asked = [asked.body["max_tokens"] for asked in server.of(CHAT_PATH)]
    assert tokens_asked == [7, 7, 200, 100]


async def test_it_is_ready_as_long_as_its_server_is_there() -> None:
    """SV-22 Down and up again: looked at by itself, without a request."""
    async with remote_server() as server, remote(server, check_every=0.02) as (system, _, events):

        async def reach(state: str) -> None:
            await events.wait_until(lambda: shows(system)["model_state"] == state)
            assert system.tree()[0].is_ready == (state == "ready")

        await reach("ready")
        assert shows(system)["trouble"] is None
        await server.stop()
        await reach("failed")
        assert "reached" in shows(system)["trouble"]
        await server.start()
        await reach("ready")
        server.put_on("/v1/models", says_json({}, 401))
        await reach("failed")
        assert "credentials" in shows(system)["trouble"]
        server.put_on("/v1/models", says_json({}, 404))
        await reach("ready")
    changes = [(e.before, e.after) for e in events.of(ModelStateChanged)]
    assert changes[0] == ("starting", "ready")
    assert changes[-1] == ("ready", "draining")


async def test_a_stop_lets_what_is_in_hand_be_answered() -> None:
    """RT-14 Then the connections are closed."""
    gate = asyncio.Event()

    async def held(connection: Connection) -> None:
        await gate.wait()
        await says_json(SAID)(connection)

    async with remote_server() as server, remote(server) as (system, model, _events):
        server.put_on(CHAT_PATH, held)
        asking = asyncio.create_task(model.ask(CHAT, timeout=PATIENT))
        await server.count(CHAT_PATH, 1)
        stopping = asyncio.create_task(system.stop(model))
        await asyncio.sleep(0)
        gate.set()
        assert (await asking).text == "Hello!"
        await stopping


@pytest.mark.parametrize(
    "request_",
    [GenerateText(""), GenerateText("x", max_tokens=0), GenerateText("x", stop=("\ud800",))],
)
async def test_a_request_that_is_not_valid_is_not_sent(request_: GenerateText) -> None:
    """RT-10 It is the caller's fault, and ends nobody."""
    async with remote_server() as server, remote(server) as (_, model, _events):
        server.put_on(CHAT_PATH, says_json(SAID))
        with pytest.raises(InvalidInput):
            await model.ask(request_, timeout=PATIENT)
        assert (await model.ask(CHAT, timeout=PATIENT)).text == "Hello!"
        assert server.of("/v1/completions") == []


async def test_without_its_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """WK-07 As a failed load."""
    monkeypatch.delitem(sys.modules, "failsoft.actors.remote_http", raising=False)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    spec = RemoteSpec(base_url="http://h/v1", model="m")
    async with System() as system:
        with pytest.raises(StartFailed, match="pip install httpx2"):
            await system.spawn(lambda: RemoteModel(spec), "remote")


async def test_certificates_are_read_once_and_not_on_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They take up to 0.2 s: nobody else waits for that, however many models there are."""
    threads: list[threading.Thread] = []
    create = httpx2.create_ssl_context

    def create_seen() -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return create()

    http_client._tls_context.cache_clear()
    monkeypatch.setattr(httpx2, "create_ssl_context", create_seen)
    async with remote_server() as server, remote(server) as (system, _model, _events):
        spec = RemoteSpec(base_url=server.base_url, model="tiny")
        await system.spawn(lambda: RemoteModel(spec), "another")
    assert len(threads) == 1
    assert threads[0] is not threading.current_thread()


async def test_an_answer_that_another_model_has_begun_is_not_begun_anew() -> None:
    """Its reader would get the beginning twice; so it is for another model to go on."""
    begun = msgspec.structs.replace(CHAT, answered=Answered((), "Once"))
    async with remote_server() as server, remote(server) as (_, model, _events):
        with pytest.raises(ModelOverloaded, match="can't go on"):
            async with model.stream(begun, timeout=PATIENT) as chunks:
                await anext(chunks)
        assert not server.of(CHAT_PATH)
