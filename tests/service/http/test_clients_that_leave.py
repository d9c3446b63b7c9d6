"""SRV-02, SRV-06: clients that go away, or read too slowly, hold nothing up."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import httpx2
import pytest

from .served import PATIENCE, ServedProcess, post, read_all, read_until, serving

# Its worker has one request at a time: that it answers another shows that the last is over.
SINGLE = {"model": "single"}


def body(prompt: str, **fields: object) -> bytes:
    # For longer than those who come later wait.
    asked = {"prompt": prompt, "max_tokens": 32768, "timeout": 10 * PATIENCE}
    return json.dumps({**SINGLE, **asked, **fields}).encode()


def is_free(client: httpx2.Client) -> bool:
    return client.post("/generate", json={**SINGLE, "prompt": "hello"}).status_code == 200


def test_one_that_leaves_a_stream(client: httpx2.Client, service: ServedProcess) -> None:
    """SRV-02 It frees the slot in the midst of an answer that would take for ever."""
    with service.connect() as connection:
        connection.sendall(post("/v1/completions", body("endless", stream=True)))
        read_until(connection, b"data: ")
    assert is_free(client)


def test_one_that_leaves_before_its_whole_answer(
    client: httpx2.Client, service: ServedProcess
) -> None:
    """SRV-02 Also where nothing is streamed, and so nothing is sent that could fail."""
    with service.connect() as connection:
        connection.sendall(post("/generate", body("endless")))
        with service.connect() as other:
            # Whoever waits in line leaves it.
            other.sendall(post("/generate", body("endless")))
    assert is_free(client)


def test_one_that_leaves_with_another_request_behind_the_first(
    client: httpx2.Client, service: ServedProcess
) -> None:
    """SRV-02 The first is told of it, too; and it is no fault."""
    with service.connect() as connection:
        endless = post("/v1/completions", body("endless", stream=True))
        connection.sendall(endless + post("/generate", body("hello")))
        read_until(connection, b"data: ")
    assert is_free(client)
    assert "Traceback" not in service.log


def test_one_that_leaves_several_choices(client: httpx2.Client, service: ServedProcess) -> None:
    """SRV-02 All of them end."""
    with service.connect() as connection:
        connection.sendall(post("/v1/completions", body("endless", stream=True, n=3)))
        read_until(connection, b"data: ")
    assert is_free(client)


def test_one_that_leaves_in_the_midst_of_its_body(
    client: httpx2.Client, service: ServedProcess
) -> None:
    """SRV-02 There is nobody to answer, and it is no fault."""
    with service.connect() as connection:
        connection.sendall(post("/generate", body("hello"))[:-5])
    assert is_free(client)
    assert "Traceback" not in service.log


@pytest.mark.parametrize("n", [1, 2])
def test_one_that_reads_too_slowly(client: httpx2.Client, service: ServedProcess, n: int) -> None:
    """SRV-06 It holds its own slot alone, and is dropped at the bound."""
    with service.connect(receive_buffer=4096) as connection:
        flood = body("flood", stream=True, n=n)
        connection.sendall(post("/v1/completions", flood))
        read_until(connection, b"data: ")
        # Meanwhile others are answered by other models.
        assert client.post("/generate", json={"prompt": "hello"}).status_code == 200
        # The slot is free again, though nothing was read and the connection is there.
        assert is_free(client)
        assert b"[DONE]" not in read_all(connection)


def test_one_that_reads_nothing_more(tmp_path: Path) -> None:
    """SRV-06 Its connection is given up, too; it would hold up the end for all of the grace."""
    with (
        contextlib.closing(serving(tmp_path)) as service,
        service.connect(receive_buffer=4096) as connection,
    ):
        connection.sendall(post("/v1/completions", body("flood", stream=True)))
        read_until(connection, b"data: ")
        service.tell()
        assert service.status() == 0


def test_headers_that_do_not_end(service: ServedProcess) -> None:
    """SRV-06 Are refused before they fill the memory."""
    with service.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Endless: ")
        with contextlib.suppress(OSError):
            connection.sendall(b"x" * 131072)
        assert b"The headers are too large." in read_all(connection)
