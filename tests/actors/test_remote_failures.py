"""WK-19: the remote model, with a server that does what servers do on bad days."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog

from failsoft.actors import Ref, System
from failsoft.actors.remote import RemoteModel
from failsoft.actors.remote_spec import RemoteSpec
from failsoft.messages import (
    ChatMessage,
    ContextLengthExceeded,
    GenerateText,
    GenerationFailed,
    InferenceError,
    InvalidInput,
    ModelOverloaded,
)
from failsoft.messages.embedding import Embed
from failsoft.messages.events import ActorFailed
from failsoft.testing import EventRecorder

from .remote_server import (
    DONE,
    PATIENT,
    STREAM_END,
    STREAM_HEAD,
    Connection,
    Play,
    RemoteServer,
    event,
    remote_server,
    response,
    says,
    says_json,
    streams_events,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop", "plain_logs", "no_proxy")]

KEY = "sk-secret-key"
CHAT = GenerateText((ChatMessage("user", "Hi"),))
SAID = {"choices": [{"message": {"content": "Hello!"}, "finish_reason": "stop"}]}
PIECE = {"choices": [{"delta": {"content": "one"}}]}
PATH = "/v1/chat/completions"


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: real sockets are waited for."""
    return "asyncio"


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Talk to the server itself."""
    monkeypatch.setenv("NO_PROXY", "*")


class Remote:
    """Hold a server and its model actor."""

    def __init__(self, server: RemoteServer, system: System, model: Ref) -> None:
        self.server = server
        self.system = system
        self.model = model
        self.events = EventRecorder(system)

    async def fails(self, play: Play, *, streamed: bool = False) -> InferenceError:
        """Give the error for ``play``; see that it ends nobody, and the next is answered."""
        self.server.put_on(PATH, play, says_json(SAID))
        with pytest.raises(InferenceError) as caught:
            await self._ask(streamed)
        assert (await self.model.ask(CHAT, timeout=PATIENT)).text == "Hello!"
        assert self.events.of(ActorFailed) == []
        assert KEY not in f"{caught.value!r} {caught.value.to_dict()} {caught.value.__cause__!r}"
        return caught.value

    async def _ask(self, streamed: bool) -> None:
        if not streamed:
            await self.model.ask(CHAT, timeout=PATIENT)
            return
        async with self.model.stream(CHAT, timeout=PATIENT) as chunks:
            async for _ in chunks:
                pass


@contextlib.asynccontextmanager
async def remote(**options: Any) -> AsyncIterator[Remote]:
    async with remote_server() as server, System() as system:
        options = {"silence_limit": 10.0, "api_key": KEY, **options}
        spec = RemoteSpec(base_url=server.base_url, model="tiny", **options)
        yield Remote(server, system, await system.spawn(lambda: RemoteModel(spec), "remote"))


def error(message: str, **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def raw(body: bytes) -> Play:
    return says(response(200, body))


async def resets(connection: Connection) -> None:
    connection.reset()


async def closes(connection: Connection) -> None:
    connection.close()


def breaks_off(*pieces: bytes) -> Play:
    async def play(connection: Connection) -> None:
        await connection.send(*pieces)
        connection.close()

    return play


async def is_silent(connection: Connection) -> None:
    await connection.left()


STATUSES: dict[str, tuple[Play, type[InferenceError], bool]] = {
    "429": (says_json(error("slow down"), 429, Retry_After="7"), ModelOverloaded, True),
    "503": (says_json(error("busy"), 503), ModelOverloaded, True),
    "401": (says_json(error(f"Incorrect API key: {KEY}"), 401), GenerationFailed, False),
    "403": (says_json(error("no"), 403), GenerationFailed, False),
    "404": (says_json(error("no"), 404), GenerationFailed, False),
    "400": (says_json(error(f"bad {KEY}", param="max_tokens"), 400), InvalidInput, False),
    "422": (says_json({"detail": [{"msg": "no"}]}, 422), InvalidInput, False),
    "too long": (
        says_json(error("Too long.", code="context_length_exceeded"), 400),
        ContextLengthExceeded,
        False,
    ),
    "500": (says_json(error("oops"), 500), GenerationFailed, True),
    "502 in HTML": (says(response(502, b"<html>", "text/html")), GenerationFailed, True),
    "302": (says(response(302, Location="http://elsewhere/")), GenerationFailed, False),
    "error cut off": (
        breaks_off(b"HTTP/1.1 500 No\r\nContent-Length: 99\r\n\r\nhalf"),
        GenerationFailed,
        True,
    ),
}
BODIES: dict[str, Play] = {
    "no JSON": raw(b"<html>Hello</html>"),
    "cut": raw(json.dumps(SAID).encode()[:-5]),
    "empty": raw(b""),
    "a list": raw(b"[1]"),
    "no choices": says_json({"choices": []}),
    "no text": says_json({"choices": [{"text": "x"}]}),
    "wrong types": says_json({"choices": [{"message": {"content": 7}}]}),
    "nested": raw(b"[" * 100_000),
    "not UTF-8": raw(b'{"choices": [{"message": {"content": "\xff"}}]}'),
    "no HTTP": says(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "dropped": breaks_off(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
    "closed at once": closes,
    "reset": resets,
}
STREAMS: dict[str, tuple[Play, int]] = {
    "dropped": (breaks_off(STREAM_HEAD, event(PIECE)), 1),
    "dropped in an event": (breaks_off(STREAM_HEAD, event(PIECE)[:-9]), 0),
    "ended without an end": (streams_events(PIECE), 1),
    "done without an end": (streams_events(PIECE, DONE), 1),
    "no JSON": (streams_events(PIECE, "Hello", DONE), 1),
    "an error": (streams_events(PIECE, error(f"CUDA error, {KEY}"), DONE), 1),
    "no stream": (says_json(SAID), 0),
    "endless event": (breaks_off(STREAM_HEAD, b"200000\r\ndata: " + b"x" * 0x200000), 0),
    "not UTF-8": (breaks_off(STREAM_HEAD, b"9\r\ndata: \xff\n\n\r\n", STREAM_END), 0),
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", STATUSES)
async def test_each_status_is_a_typed_error(name: str, streamed: bool) -> None:
    """WK-19 With the status in its details, streamed or not."""
    play, kind, is_retryable = STATUSES[name]
    async with remote() as served:
        caught = await served.fails(play, streamed=streamed)
    assert type(caught) is kind
    assert caught.is_retryable is is_retryable
    assert caught.details["status"] in (302, 400, 401, 403, 404, 422, 429, 500, 502, 503)


async def test_what_the_server_said_of_a_request_is_told_without_secrets() -> None:
    """By the field that it names."""
    async with remote() as served:
        caught = await served.fails(STATUSES["400"][0])
    assert caught.details["field_errors"] == {"max_tokens": "bad ***"}


async def test_the_time_to_wait_is_told() -> None:
    """WK-19 Of 429 with Retry-After."""
    async with remote() as served:
        caught = await served.fails(STATUSES["429"][0])
    assert caught.details["retry_after"] == 7


@pytest.mark.parametrize("name", BODIES)
async def test_an_answer_that_is_none_is_a_failed_generation(name: str) -> None:
    """WK-19 It may be tried again."""
    async with remote() as served:
        caught = await served.fails(BODIES[name])
    assert type(caught) is GenerationFailed
    assert caught.is_retryable


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_that_breaks_is_a_failed_generation(name: str) -> None:
    """WK-19 The error tells how many tokens there were."""
    async with remote() as served:
        play, tokens = STREAMS[name]
        caught = await served.fails(play, streamed=True)
    assert type(caught) is GenerationFailed
    assert caught.is_retryable
    assert caught.details["tokens"] == tokens


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_server_that_falls_silent_is_given_up_before_the_deadline(streamed: bool) -> None:
    """WK-19 So that there is time left to ask another one."""

    async def play(connection: Connection) -> None:
        if streamed:
            await connection.send(STREAM_HEAD, event(PIECE))
        await connection.left()

    async with remote(silence_limit=0.2) as served:
        caught = await served.fails(play, streamed=streamed)
    assert type(caught) is GenerationFailed
    assert "sent nothing for 0.2 s" in caught.message


async def test_a_server_that_is_not_there_is_an_overload() -> None:
    """WK-19 With a time after which to try again; the model isn't ready meanwhile."""
    async with remote(check_every=0.05) as served:
        await served.events.wait_until(lambda: shows(served.system)["model_state"] == "ready")
        await served.server.stop()
        with pytest.raises(ModelOverloaded) as caught:
            await served.model.ask(CHAT, timeout=PATIENT)
        assert caught.value.details["retry_after"] == 0.05
        assert shows(served.system)["model_state"] == "failed"
        await served.server.start()
        await served.events.wait_until(lambda: shows(served.system)["model_state"] == "ready")
        served.server.put_on(PATH, says_json(SAID))
        assert (await served.model.ask(CHAT, timeout=PATIENT)).text == "Hello!"


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}],
        [{"index": 0, "embedding": "AACAPw=="}, {"index": 1, "embedding": "AACAPw=="}],
    ],
)
async def test_vectors_that_do_not_fit_the_texts_are_a_failed_generation(data: Any) -> None:
    """WK-19 One too few, one twice, of different sizes, in another form."""
    async with remote() as served:
        served.server.put_on("/v1/embeddings", says_json({"data": data}))
        with pytest.raises(GenerationFailed):
            await served.model.ask(Embed(("a", "b")), timeout=PATIENT)


async def test_what_a_server_says_of_its_trouble_is_logged_without_secrets() -> None:
    """And isn't told to the caller; no secret is in the tree's picture or the events."""
    with structlog.testing.capture_logs() as lines:
        async with remote(headers={"x-team": "blue-team"}) as served:
            await served.fails(STATUSES["401"][0])
            caught = await served.fails(STREAMS["an error"][0], streamed=True)
            seen = f"{lines} {shows(served.system)} {list(served.events)}"
    assert KEY not in seen
    assert [line["said"] for line in lines if line["event"] == "remote.failed"] == [
        "Incorrect API key: ***",
        "CUDA error, ***",
    ]
    assert "CUDA" not in str(caught.to_dict())
    spec = RemoteSpec(base_url="http://h/v1", model="m", api_key=KEY, headers={"x": "blue-team"})
    assert KEY not in repr(spec)
    assert "blue-team" not in seen + repr(spec)


def shows(system: System) -> dict[str, Any]:
    (node,) = system.tree()
    return node.shows


async def test_many_callers_that_leave_cost_no_connection() -> None:
    """WK-11 Cancelled at any moment, before the connection is made or after."""
    async with remote(max_concurrent=4) as served:
        served.server.put_on(PATH, is_silent)
        for turns in range(40):
            asking = asyncio.create_task(served.model.ask(CHAT, timeout=PATIENT))
            for _ in range(turns):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        served.server.put_on(PATH, says_json(SAID))
        replies = await asyncio.gather(*(served.model.ask(CHAT, timeout=PATIENT) for _ in range(8)))
        assert [reply.text for reply in replies] == ["Hello!"] * 8
        assert shows(served.system)["running"] == 0
