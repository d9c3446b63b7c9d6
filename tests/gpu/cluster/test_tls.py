"""TLS between a service and its workers, set up as Ray's own is."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
from tests.gpu.launched import Launcher, children_of, still_alive_after, watch

from failsoft.gpu.cluster.tls import TlsPump, tls_context
from failsoft.gpu.placement import CommandPlacement
from failsoft.gpu.script import Die, Print, Say, Script, When
from failsoft.gpu.scripted import scripted

from .authority import VARIABLES, Authority
from .kept import PATIENCE, is_closed, kept

MEGABYTE = 1024 * 1024


def elsewhere(launch: Launcher, settings: dict[str, str]) -> None:
    """Have the keeper be set otherwise than this service is."""
    command = ("env", *(f"{name}={value}" for name, value in settings.items()))
    assert isinstance(launch.placement, CommandPlacement)
    python, limit = launch.placement.python, launch.placement.silence_limit
    launch.placement = CommandPlacement(command=command, python=python, silence_limit=limit)


# -- a worker


@pytest.mark.anyio
async def test_a_worker_answers_in_tls(ours: dict[str, str], launch: Launcher) -> None:
    """Many small frames and a large one, both ways; its log; and an end in order."""
    talk = When("talk", [Print("at work\n"), Say("word " * 2_000)])
    worker = await launch.ready(scripted(Script(rules=[talk])))
    large = "y" * (9 * MEGABYTE)
    many, answered = worker.run("talk"), worker.run(large, stream=False)
    assert (await worker.reply_of(answered)).text == large
    assert worker.text_of(many) == "word " * 2_000
    await worker.line("at work")
    await worker.process.stop()
    gone = await worker.ended()
    assert (gone.exit_status, gone.reason) == (0, "it was asked to stop")


@pytest.mark.anyio
async def test_what_was_said_last_is_heard_in_tls(ours: dict[str, str], launch: Launcher) -> None:
    """What a worker says and dies of, and what it died of, though its keeper ends with it."""
    for _ in range(2):
        last = Script(otherwise=[Say("word " * 2_000), Print("the last\n"), Die(6)])
        worker = await launch.ready(scripted(last))
        id = worker.run()
        gone = await worker.ended()
        assert gone.exit_status == -6
        assert worker.text_of(id) == "word " * 2_000
        assert [line.event for line in worker.lines] == ["the last"]


@pytest.mark.anyio
async def test_a_keeper_that_is_killed_takes_its_worker_along_in_tls(
    ours: dict[str, str], launch: Launcher
) -> None:
    """WK-01 The thread that carries the bytes ends with its process."""
    worker = await launch.ready(scripted())
    pidfds = watch([worker.pid])
    (keeper,) = (pid for pid in children_of(os.getpid()) if worker.pid in children_of(pid))
    os.kill(keeper, signal.SIGKILL)
    assert "its keeper is gone" in (await worker.ended()).reason
    assert still_alive_after(pidfds, 2.0) == set()


# -- refusals


@pytest.mark.anyio
@pytest.mark.parametrize("uses", ["0", "1"])
async def test_one_side_that_speaks_plainly_is_told_so(
    launch: Launcher,
    authorities: tuple[Authority, Authority],
    monkeypatch: pytest.MonkeyPatch,
    uses: str,
) -> None:
    """Before anything is sent: what to set, and where."""
    for name, value in authorities[0].settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RAY_USE_TLS", uses)
    elsewhere(launch, {"RAY_USE_TLS": "1" if uses == "0" else "0"})
    worker = await launch(scripted())
    assert "set RAY_USE_TLS alike on both" in (await worker.ended()).reason


@pytest.mark.anyio
async def test_another_authority_is_refused(
    ours: dict[str, str], launch: Launcher, authorities: tuple[Authority, Authority]
) -> None:
    """Whoever signed it, a certificate of another cluster is none; the reason is said."""
    elsewhere(launch, authorities[1].settings)
    worker = await launch(scripted())
    reason = (await worker.ended()).reason
    assert "was not trusted: TLS failed: " in reason
    assert "certificate" in reason


@pytest.mark.anyio
async def test_a_service_of_another_authority_is_refused(
    ours: dict[str, str], launch: Launcher, authorities: tuple[Authority, Authority]
) -> None:
    """By the keeper, where the service itself would trust it."""
    both = {**authorities[1].settings, "RAY_TLS_SERVER_CERT": ours["RAY_TLS_SERVER_CERT"]}
    elsewhere(launch, {**both, "RAY_TLS_SERVER_KEY": ours["RAY_TLS_SERVER_KEY"]})
    worker = await launch(scripted())
    assert "was not trusted: TLS failed: " in (await worker.ended()).reason


@pytest.mark.anyio
@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("path", [None, "/nowhere/at/all.pem"])
@pytest.mark.parametrize("is_here", [True, False])
async def test_a_setting_that_is_missing_is_named(
    ours: dict[str, str],
    launch: Launcher,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    path: str | None,
    is_here: bool,
) -> None:
    """On this side or on the other: what to set."""
    elsewhere(launch, ours if is_here else {variable: path or ""})
    if is_here and path is None:
        monkeypatch.delenv(variable)
    elif is_here:
        monkeypatch.setenv(variable, path or "")
    worker = await launch(scripted())
    reason = (await worker.ended()).reason
    assert f"RAY_USE_TLS is set: set {variable} to a file that can be read" in reason


def test_strangers_hold_up_no_service_in_tls(ours: dict[str, str]) -> None:
    """Those that say nothing, and those that speak plainly."""
    with kept() as keeper:
        strangers = [keeper.connect() for _ in range(10)]
        for end in strangers[:5]:
            end.sendall(b"GET / HTTP/1.1\r\n\r\n")
        context = tls_context(server_side=False)
        assert context is not None
        with context.wrap_socket(keeper.connect()) as end:
            assert end.recv(8) == b"failsoft"
        keeper.end_leash()
        assert keeper.ends() == 0
        assert all(is_closed(end) for end in strangers)


# -- the thread that carries the bytes


class Pumped:
    """Hold two ends of a connection in TLS, each behind a pump."""

    def __init__(self, limit: float = PATIENCE) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            there = socket.create_connection(listener.getsockname())
            here, _ = listener.accept()
        contexts = [tls_context(server_side=is_server) for is_server in (False, True)]
        assert contexts[0] is not None
        assert contexts[1] is not None
        self.service = TlsPump(there, contexts[0], server_side=False, silence_limit=limit)
        self.keeper = TlsPump(here, contexts[1], server_side=True, silence_limit=limit)
        self.keeper.has_last_words = True
        for pump in (self.service, self.keeper):
            pump.end.settimeout(PATIENCE)

    def close(self) -> None:
        for pump in (self.service, self.keeper):
            pump.end.close()
            pump.join(PATIENCE)
            assert not pump.is_alive()


@pytest.fixture
def pumped(ours: dict[str, str]) -> Iterator[Pumped]:
    made = Pumped()
    yield made
    made.close()


def _send(end: socket.socket, data: bytes) -> threading.Thread:
    def send() -> None:
        with contextlib.suppress(OSError):
            end.sendall(data)

    sending = threading.Thread(target=send)
    sending.start()
    return sending


def test_both_ways_at_once_nothing_is_lost(pumped: Pumped) -> None:
    """More than the pumps and the kernel hold, while nobody waits for the other."""
    there, back = os.urandom(8 * MEGABYTE), os.urandom(8 * MEGABYTE)
    threads = [_send(pumped.service.end, there), _send(pumped.keeper.end, back)]
    got_back = _receive(pumped.service.end, len(back))
    got_there = _receive(pumped.keeper.end, len(there))
    for thread in threads:
        thread.join()
    assert got_back == back
    assert got_there == there


def test_what_is_not_read_one_way_does_not_hold_up_the_other(pumped: Pumped) -> None:
    """A service that has much unread still gets an order through."""
    sending = _send(pumped.keeper.end, bytes(32 * MEGABYTE))
    pumped.service.end.sendall(b"kill it")
    assert pumped.keeper.end.recv(100) == b"kill it"
    assert sending.is_alive()
    pumped.service.end.close()
    sending.join(PATIENCE)
    assert not sending.is_alive()


def test_the_keepers_last_words_are_all_heard(pumped: Pumped) -> None:
    """Though it closes at once, with orders unread that are more than the pump takes."""
    orders = _send(pumped.service.end, bytes(4 * MEGABYTE))
    words = _send(pumped.keeper.end, b"x" * (2 * MEGABYTE))
    heard = _receive(pumped.service.end, MEGABYTE)
    words.join()
    pumped.keeper.end.close()
    heard += _receive(pumped.service.end, 2 * MEGABYTE - len(heard))
    assert heard == b"x" * (2 * MEGABYTE)
    assert is_closed(pumped.service.end)
    orders.join()


@pytest.mark.parametrize("side", ["service", "keeper"])
def test_where_either_side_ends_so_does_the_other(pumped: Pumped, side: str) -> None:
    """And both threads, though what the one has to send isn't taken."""
    ends, other = pumped.service, pumped.keeper
    if side == "keeper":
        ends, other = other, ends
    ends.end.setblocking(False)
    sent = 0
    while _takes(ends.end):
        sent += 1
    ends.end.close()
    assert is_closed(other.end)


def test_who_has_not_proven_itself_is_not_waited_for(pumped: Pumped) -> None:
    """Though it speaks TLS, and goes on speaking."""
    pumped.keeper.has_last_words = False
    pumped.service.end.sendall(b"a key that isn't")
    assert pumped.keeper.end.recv(100) == b"a key that isn't"
    pumped.keeper.end.close()
    pumped.keeper.join(PATIENCE)
    assert not pumped.keeper.is_alive()


def test_who_never_takes_what_came_last_is_not_waited_for(ours: dict[str, str]) -> None:
    """As a worker's helper may, which outlives it and holds its end."""
    pumped = Pumped(limit=0.2)
    pumped.service.end.sendall(bytes(MEGABYTE // 2))
    pumped.service.end.close()
    pumped.keeper.join(PATIENCE)
    assert not pumped.keeper.is_alive()
    pumped.close()


def test_a_side_that_never_speaks_keeps_no_thread_and_no_processor(
    ours: dict[str, str],
) -> None:
    """Nor does one that waits for it: who hasn't proven itself is no one to wait for."""
    context = tls_context(server_side=True)
    assert context is not None
    silent, theirs = socket.socketpair()
    with silent:
        pump = TlsPump(theirs, context, server_side=True, silence_limit=3600.0)
        pump.end.sendall(b"a greeting")
        before = os.times()
        pump.join(0.5)
        after = os.times()
        assert pump.is_alive()
        assert after.user - before.user + after.system - before.system < 0.1
        pump.end.close()
        pump.join(PATIENCE)
        assert not pump.is_alive()


def _takes(end: socket.socket) -> bool:
    """Send something, unless nothing is taken for a while."""
    try:
        end.send(bytes(MEGABYTE))
    except BlockingIOError:
        return bool(select.select([], [end], [], 0.2)[1])
    return True


def _receive(end: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (more := end.recv(MEGABYTE)):
        data += more
    return bytes(data)


def test_certificates_are_asked_for_on_both_sides(ours: dict[str, str]) -> None:
    """Nothing older than TLS 1.2, and no certificate that the authority hasn't signed."""
    for is_server in (False, True):
        context = tls_context(server_side=is_server)
        assert context is not None
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_without_the_setting_there_is_no_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with Ray."""
    for value in ("0", "", "false"):
        monkeypatch.setenv("RAY_USE_TLS", value)
        assert tls_context(server_side=True) is None
