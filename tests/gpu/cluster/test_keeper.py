"""The keeper as a program: whom it lets in, what it tells, and what ends with its service."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.gpu.launched import exists, still_alive_after, watch

from failsoft.gpu import WorkerSpec
from failsoft.gpu.cluster import claims, handshake
from failsoft.gpu.cluster.claims import Claims
from failsoft.gpu.cluster.handshake import CONTROL, WIRE
from failsoft.gpu.cluster.keeper_address import KeeperOrder
from failsoft.gpu.cluster.keeper_control import KeeperControl
from failsoft.gpu.cluster.words import Beat, Beaten, Exited, Printed, Signal, word_reader
from failsoft.gpu.script import Die, Print, Script, Stall
from failsoft.gpu.scripted import scripted
from failsoft.messages.frames import Hello, Ready, Stop

from .kept import PATIENCE, End, Kept, born, is_closed, kept, printed, status

# The law: within 2 s.
LIMIT = 2.0
FLOOD = Script(load=[Print("x" * 65536 + "\n", times=1_000)])
LAST_WORDS = Script(load=[Print("y" * 1000 + "\n", times=500), Print("the last\n"), Die(11)])


def test_a_worker_lives_and_ends() -> None:
    """Born, a sign of life on the keeper's clock, an order to end, its status, and that is all."""
    with kept() as keeper:
        control, wire = keeper.claim_both(scripted())
        pid = born(control)
        assert wire.hear(Hello).pid == pid
        wire.hear(Ready)
        control.send(Beat(12.5))
        assert control.hear(Beaten).at == 12.5
        wire.send(Stop())
        assert status(control) == 0
        assert keeper.ends() == 0
        assert not exists(pid)
        assert keeper.said() == []


# -- who comes


def _says_nothing(keeper: Kept) -> socket.socket:
    return keeper.connect()


def _says_a_little(keeper: Kept) -> socket.socket:
    end = keeper.connect()
    end.sendall(b"GET")
    return end


def _speaks_http(keeper: Kept) -> socket.socket:
    end = keeper.connect()
    end.sendall(b"GET / HTTP/1.1\r\nHost: somewhere\r\nAccept: text/html,text/plain,*/*\r\n\r\n")
    return end


def _scans(keeper: Kept) -> socket.socket:
    end = keeper.connect()
    end.close()
    return end


STRANGERS = [_says_nothing, _says_a_little, _speaks_http, _scans]


@pytest.mark.parametrize("come", STRANGERS)
def test_strangers_do_not_hold_up_the_service(come: Callable[[Kept], socket.socket]) -> None:
    """Thirty of them are there first: it gets through before anybody's patience is over."""
    with kept() as keeper:
        strangers = [come(keeper) for _ in range(30)]
        control, wire = keeper.claim(CONTROL), keeper.claim(WIRE)
        born(control)
        wire.hear(Hello)
        assert all(is_closed(end) for end in strangers if end.fileno() != -1)


def test_of_too_many_strangers_the_first_go() -> None:
    """A keeper hears so many at once and no more, and its service among them."""
    with kept() as keeper:
        strangers = [keeper.connect() for _ in range(claims._MAX_UNPROVEN + 3)]
        control, _ = keeper.claim(CONTROL), keeper.claim(WIRE)
        born(control)
        assert all(is_closed(end) for end in strangers)
        control.send(Signal(signal.SIGKILL))
        assert status(control) == -signal.SIGKILL
        keeper.ends()
        assert keeper.said().count("a connection was refused: it said nothing, and others came") > 3


def test_who_does_not_know_the_key_is_refused() -> None:
    """With words in the log, and the next one is heard."""
    with kept() as keeper:
        for purpose in (CONTROL, WIRE):
            with pytest.raises(OSError, match=r"closed|reset"):
                keeper.claim(purpose, key=bytes(handshake.KEY_BYTES))
        control, _ = keeper.claim_both(scripted())
        born(control)
        keeper.end_leash()
        keeper.ends()
        (said,) = set(keeper.said())
        assert said == "a connection was refused: who claims the worker doesn't know its key"


def test_a_second_control_connection_is_refused() -> None:
    """The first one stays."""
    with kept() as keeper:
        control, second = keeper.claim(CONTROL), keeper.claim(CONTROL)
        assert is_closed(second.end)
        keeper.claim(WIRE)
        born(control)


def test_nobody_can_come_once_the_service_is_there() -> None:
    """The listener is closed with the second of its connections."""
    with kept() as keeper:
        control, _ = keeper.claim_both(scripted())
        born(control)
        with pytest.raises(ConnectionRefusedError):
            keeper.connect()


@pytest.mark.parametrize("claimed", [[], [CONTROL]])
def test_a_keeper_that_nobody_claims_ends(
    monkeypatch: pytest.MonkeyPatch, claimed: list[bytes]
) -> None:
    """Nor waits it for a second connection for ever, whoever else is connected."""
    monkeypatch.setattr(claims, "_CLAIMS_LIMIT", 0.2)
    leash, held = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        waiting = Claims(listener, KeeperOrder(b"k" * 32, 1.0), None, leash)
        ends = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        assert waiting.wait() is None
        assert all(is_closed(end) for end in ends)
        for end in ends:
            end.close()
    os.close(leash)
    os.close(held)


def test_a_stranger_that_drips_has_no_more_time_than_one_that_is_silent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A byte now and then doesn't keep a connection: its time is over, though none was silent."""
    monkeypatch.setattr(claims, "_CLAIM_LIMIT", 0.0)
    monkeypatch.setattr(claims, "_CLAIMS_LIMIT", 0.3)
    leash, held = os.pipe()
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as end,
    ):
        end.sendall(b"x")
        waiting = Claims(listener, KeeperOrder(b"k" * 32, 1.0), None, leash)
        assert waiting.wait() is None
        assert is_closed(end)
    assert capfd.readouterr().err == "a connection was refused: it said nothing\n"
    os.close(leash)
    os.close(held)


# -- its end


def _ends_leash(keeper: Kept, control: End) -> None:
    keeper.end_leash()


def _ends_control(keeper: Kept, control: End) -> None:
    control.end.close()


def _talks_nonsense(keeper: Kept, control: End) -> None:
    control.end.sendall(b"\xff" * 8)


def _is_killed(keeper: Kept, control: End) -> None:
    keeper.process.kill()


@pytest.mark.parametrize("end", [_ends_leash, _ends_control, _talks_nonsense, _is_killed])
@pytest.mark.parametrize("is_stopped", [False, True])
def test_no_worker_outlives_its_service(end: Callable[[Kept, End], None], is_stopped: bool) -> None:
    """WK-04 However the service or the keeper is lost, and though the worker can't do a thing."""
    with kept() as keeper:
        control, wire = keeper.claim_both(scripted())
        wire.hear(Ready)
        pid = born(control)
        pidfds = watch([pid, keeper.process.pid])
        if is_stopped:
            os.kill(pid, signal.SIGSTOP)
        end(keeper, control)
        assert still_alive_after(pidfds, LIMIT) == set()


@pytest.mark.parametrize("claimed", [[], [CONTROL], [CONTROL, WIRE]])
def test_a_keeper_ends_with_its_leash_at_any_stage(claimed: list[bytes]) -> None:
    """WK-04 Before anybody came, between the two, and while its worker is being born."""
    with kept() as keeper:
        strangers = [keeper.connect() for _ in range(3)]
        for purpose in claimed:
            keeper.claim(purpose)
        pidfds = watch([keeper.process.pid])
        keeper.end_leash()
        assert still_alive_after(pidfds, LIMIT) == set()
        assert all(is_closed(end) for end in strangers)


def _is_terminated(keeper: Kept, control: End) -> None:
    keeper.process.terminate()


def _is_hung_up(keeper: Kept, control: End) -> None:
    keeper.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("end", [_ends_leash, _ends_control, _is_terminated, _is_hung_up])
def test_a_workers_helpers_end_with_it(end: Callable[[Kept, End], None]) -> None:
    """WK-04 They are of its group."""
    with kept() as keeper:
        control, wire = keeper.claim_both(WorkerSpec(engine="helper_engine:HelperEngine"))
        helper = wire.hear(Ready).info["helper"]
        pidfds = watch([helper, born(control)])
        end(keeper, control)
        assert still_alive_after(pidfds, LIMIT) == set()


def test_helpers_of_a_worker_that_was_killed_end_and_hold_up_nothing() -> None:
    """They hold its output open, and the wire."""
    with kept() as keeper:
        control, wire = keeper.claim_both(WorkerSpec(engine="helper_engine:HelperEngine"))
        pidfds = watch([wire.hear(Ready).info["helper"]])
        os.kill(born(control), signal.SIGKILL)
        assert status(control) == -signal.SIGKILL
        assert still_alive_after(pidfds, LIMIT) == set()
        keeper.ends()


def test_ctrl_c_in_its_terminal_is_nothing_to_a_keeper() -> None:
    """It ends with its service, which decides."""
    with kept() as keeper:
        control, wire = keeper.claim_both(scripted())
        wire.hear(Ready)
        keeper.process.send_signal(signal.SIGINT)
        control.send(Signal(signal.SIGTERM))
        assert status(control) == -signal.SIGTERM


# -- what it passes on


def test_what_a_worker_printed_last_is_told_before_its_end() -> None:
    """All of it, where it isn't much."""
    with kept() as keeper:
        control, _ = keeper.claim_both(scripted(LAST_WORDS))
        assert status(control) == -11
        assert printed(control).endswith(b"y\nthe last\n")
        assert len(printed(control)) == 500 * 1001 + len("the last\n")


def test_a_flood_that_nobody_reads_has_the_worker_wait() -> None:
    """It gets no further while what it printed isn't taken, and is killed all the same."""
    with kept() as keeper:
        control, wire = keeper.claim_both(scripted(FLOOD))
        pid = born(control)
        assert not wire.hears(Ready, within=1.0)
        control.send(Signal(signal.SIGKILL))
        assert status(control) == -signal.SIGKILL
        assert len(printed(control)) < 32 * 1024 * 1024
        assert not exists(pid)


def test_output_is_read_as_far_as_the_service_takes_it() -> None:
    """A bound in the keeper, beyond what the kernel holds."""
    ours, theirs = socket.socketpair()
    control, said = KeeperControl(theirs, 10.0), 0
    while control.has_room:
        control.send(Printed(bytes(64 * 1024)))
        said += 1
    assert said * 64 * 1024 < 2 * 1024 * 1024
    with ours:
        ours.recv(1 << 20)
        control.write()
        assert control.has_room
    with leash() as held:
        control.finish(held)


@contextlib.contextmanager
def leash(*, has_ended: bool = False) -> Iterator[int]:
    """Give a keeper's leash."""
    held, end = os.pipe()
    if has_ended:
        os.close(end)
    yield held
    os.close(held)
    if not has_ended:
        os.close(end)


def test_last_words_are_held_back_for_nobody_once_the_leash_has_ended() -> None:
    """A service that neither takes them nor closes keeps no keeper beyond its place."""
    ours, theirs = socket.socketpair()
    with ours, leash(has_ended=True) as held:
        control = KeeperControl(theirs, 3600.0)
        control.send(Exited(3))
        control.finish(held)


def test_the_last_word_arrives_though_orders_are_unread() -> None:
    """What is unread at a close has the kernel reset the connection, and drop what is under way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname(), PATIENCE)
        control = KeeperControl(listener.accept()[0], 10.0)
    with ours:
        service, said = End(ours, word_reader()), 1
        for at in range(1_000):
            service.send(Beat(at))
        while control.has_room:
            control.send(Printed(bytes(64 * 1024)))
            said += 1
        control.send(Exited(3))
        with leash() as held:
            finishing = threading.Thread(target=control.finish, args=(held,))
            finishing.start()
            # By now the kernel has it all, and the keeper would be gone.
            finishing.join(0.2)
            assert len(service.hear_all()) == said
            assert service.heard[-1] == Exited(3)
            ours.close()
            finishing.join()


def test_a_load_that_stalls_is_ended_by_an_order() -> None:
    """SIGKILL reaches a worker that listens to nothing."""
    with kept() as keeper:
        control, wire = keeper.claim_both(scripted(Script(load=[Stall()])))
        wire.hear(Hello)
        control.send(Signal(signal.SIGKILL))
        assert status(control) == -signal.SIGKILL
