"""SRV-04: the correlation id, from the header to the answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from failsoft.actors import current_traceparent
from failsoft.service.http.correlation import Correlated, accepted_id

from .served import ServedProcess, post, read_until


def test_a_given_one_is_returned(client: httpx2.Client) -> None:
    """SRV-04 In both headers, and in an error's body."""
    given = {"X-Correlation-ID": "my request, number 1"}
    answer = client.post("/generate", json={"prompt": "too long"}, headers=given)
    assert answer.headers["x-correlation-id"] == "my request, number 1"
    assert answer.headers["x-request-id"] == "my request, number 1"
    assert answer.json()["correlation_id"] == "my request, number 1"


@pytest.mark.parametrize("path", ["/generate", "/nowhere", "/livez", "/v1/models"])
def test_an_absent_one_is_made(client: httpx2.Client, path: str) -> None:
    """SRV-04 Another one each time, at whatever path."""
    first, second = (client.get(path).headers["x-correlation-id"] for _ in range(2))
    assert first != second
    assert len(first) == 32


FORKED = """
import os, random, sys
from failsoft.service.http.correlation import accepted_id
if os.fork():
    os.wait()
random.seed(1)
print(accepted_id(None), flush=True)
os._exit(0)
"""


def test_no_two_processes_make_the_same_ones() -> None:
    """SRV-04 Forks of one program neither, whatever that seeds its random numbers with."""
    command = [sys.executable, "-P", "-c", FORKED]
    said = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]
    ids = b"".join(said).split()
    assert len(set(ids)) == len(ids) == 4


@pytest.mark.parametrize("given", ["a" * 128, "~", "a b"])
def test_one_that_is_good(given: str) -> None:
    """SRV-04 Up to 128 printable ASCII characters."""
    assert accepted_id(given.encode()) == given


@pytest.mark.parametrize("given", ["a" * 129, "", "a\nb", "a\rb", "ä", "a\x7f", "a\x00"])
def test_one_that_is_not(given: str) -> None:
    """SRV-04 Is replaced by one of ours."""
    assert len(accepted_id(given.encode())) == 32


@pytest.mark.parametrize("given", ["a" * 129, "\u00e4\u00e4\u00e4", "tab\there"])
def test_a_bad_one_is_never_reflected(service: ServedProcess, given: str) -> None:
    """SRV-04 Neither in a header nor in a body, as it is on the wire."""
    with service.connect() as connection:
        head = f"X-Correlation-ID: {given}"
        body = b'{"prompt": "too long"}'
        connection.sendall(post("/generate", body, head, "Connection: close"))
        answer = read_until(connection, b'"correlation_id"')
    assert given.encode() not in answer
    assert b"x-correlation-id: " in answer


def test_it_reaches_the_log(client: httpx2.Client, service: ServedProcess) -> None:
    """SRV-04 With what the tree tells of the request, written before the answer is."""
    client.post("/generate", json={"prompt": "hello"}, headers={"X-Correlation-ID": "find me"})
    lines = [line for line in service.log.splitlines() if '"find me"' in line]
    assert any('"RequestFinished"' in line for line in lines)


@pytest.mark.anyio
async def test_the_place_in_a_trace_is_taken_over() -> None:
    """SRV-04 ``traceparent``, where it is one; what is not HTTP passes by."""
    seen: list[str | None] = []

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(current_traceparent())

    async def receive() -> Message:
        raise AssertionError("nobody waits here")

    async def send(_message: Message) -> None:
        raise AssertionError("nobody says anything")

    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    for header in (trace, "nonsense"):
        scope = {"type": "http", "headers": [(b"traceparent", header.encode())]}
        await asyncio.create_task(Correlated(app)(scope, receive, send))
    await Correlated(app)({"type": "websocket", "headers": []}, receive, send)
    assert seen == [trace, None, None]
