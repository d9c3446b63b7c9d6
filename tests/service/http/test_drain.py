"""SRV-05: SIGTERM, once and twice; Ctrl-C is the same."""

from __future__ import annotations

import contextlib
import errno
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from failsoft.testing import Gate

from .program import OPERATOR_TOKEN
from .served import ServedProcess, post, read_all, read_until, serving, wait_for_end

HELD = post("/v1/completions", b'{"prompt": "begin", "stream": true}', "Connection: close")


@contextlib.contextmanager
def held(folder: Path, **contents: str) -> Iterator[tuple[ServedProcess, socket.socket, Gate]]:
    """Give a service, and a stream of it that has begun and goes on once the gate is open."""
    with Gate(folder / "gate") as gate:
        service = serving(folder, **contents)
        try:
            with service.connect() as stream:
                stream.sendall(HELD)
                assert b"begun " in read_until(stream, b"begun ")
                yield service, stream, gate
        finally:
            service.close()


def told(service: ServedProcess, number: signal.Signals = signal.SIGTERM) -> None:
    """Tell it to end, and wait until it heeds that: connections without a request are closed."""
    with service.connect() as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        read_until(idle, b"}")
        service.tell(number)
        assert read_all(idle) == b""


def test_a_grace_without_a_bound_is_one(tmp_path: Path) -> None:
    """SRV-05 It ends when what is in hand has."""
    with held(tmp_path, grace="inf") as (service, stream, gate):
        told(service)
        gate.open()
        assert b"data: [DONE]" in read_all(stream)
        assert service.status() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_hand_is_answered(tmp_path: Path, number: signal.Signals) -> None:
    """SRV-05 Nobody can connect any more, what was begun ends well, and the end is 0."""
    with held(tmp_path) as (service, stream, gate):
        below = service.below()
        told(service, number)
        with socket.socket() as late:
            assert late.connect_ex(("127.0.0.1", service.port)) == errno.ECONNREFUSED
        gate.open()
        assert b"data: [DONE]" in read_all(stream)
        assert service.status() == 0
        wait_for_end(below)


def test_the_grace_is_bounded(tmp_path: Path) -> None:
    """SRV-05 What isn't done by then is answered with an error; the end is 0 all the same."""
    with held(tmp_path, grace="0.2") as (service, stream, _gate):
        below = service.below()
        told(service)
        last = read_all(stream)
        assert b'data: {"error":' in last
        assert b"[DONE]" not in last
        assert service.status() == 0
        wait_for_end(below)


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """SRV-05 By the signal; no worker stays."""
    with held(tmp_path) as (service, stream, _gate):
        below = service.below()
        told(service)
        service.tell()
        assert service.status() == -signal.SIGTERM
        read_all(stream)
        wait_for_end(below)


def test_draining_refuses_work_and_is_not_ready(tmp_path: Path) -> None:
    """SRV-05 As an operator can begin it, while what balances the load looks elsewhere."""
    (tmp_path / "operator").touch()
    with held(tmp_path) as (service, stream, gate), service.client() as client:
        # The other model may load yet; it answers once it has.
        client.post("/generate", json={"prompt": "a", "model": "single"})
        assert client.get("/readyz").status_code == 200
        client.post(
            "/operator/drain", json={}, headers={"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        )
        ready, refused = client.get("/readyz"), client.post("/generate", json={"prompt": "a"})
        assert (ready.status_code, refused.status_code) == (503, 503)
        assert ready.json()["reasons"] == ["the service takes no more work"]
        assert refused.json()["error_type"] == "model_overloaded"
        assert "retry-after" in refused.headers
        assert client.get("/livez").status_code == 200
        assert client.get("/status").json()["status"] == "draining"
        gate.open()
        assert b"data: [DONE]" in read_all(stream)
