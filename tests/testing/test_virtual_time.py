"""The loop with virtual time: it jumps, waits for threads, and never waits in vain."""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest

from failsoft.testing import VirtualTimeLoop, VirtualTimeUvloop, WouldHang

Kind: TypeAlias = type[VirtualTimeLoop] | type[VirtualTimeUvloop]

pytestmark = pytest.mark.parametrize("kind", [VirtualTimeLoop, VirtualTimeUvloop])


def run(kind: Kind, main: Coroutine[Any, Any, object], **options: Any) -> object:
    """Run ``main`` on a loop of its own."""
    with asyncio.Runner(loop_factory=lambda: kind(**options)) as runner:
        return runner.run(main)


async def never() -> None:
    await asyncio.Event().wait()


def now() -> float:
    return asyncio.get_running_loop().time()


def test_timers_fire_in_their_order_at_their_time(kind: Kind) -> None:
    """However far apart they are."""
    fired: list[tuple[str, float]] = []

    def note(name: str) -> None:
        fired.append((name, now()))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for delay, name in ((7200.0, "b"), (1e-9, "a"), (1e10, "c")):
            loop.call_later(delay, note, name)
        loop.call_later(60, note, "never").cancel()
        await asyncio.sleep(2e10)

    run(kind, main())
    assert [name for name, _ in fired] == ["a", "b", "c"]
    assert [when for _, when in fired] == pytest.approx([1e-9, 7200, 1e10], rel=1e-12)


def test_a_timer_may_call_off_another_of_its_time(kind: Kind) -> None:
    """Though that one is due too, and one that is past comes at once."""
    fired: list[str] = []
    # On asyncio those of exactly one time have no order.
    same = 1.0 if kind is VirtualTimeUvloop else math.nextafter(1.0, 2.0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: fired.append("an error"))
        timers: list[asyncio.TimerHandle] = []
        loop.call_later(1, lambda: timers[0].cancel())
        await asyncio.sleep(0.5)
        timers.append(loop.call_at(same, fired.append, "later"))
        loop.call_at(0.1, fired.append, "past")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert fired == ["past"]
        await asyncio.sleep(1)

    run(kind, main())
    assert fired == ["past"]


def test_what_a_timer_raises_is_the_loops_to_report(kind: Kind) -> None:
    """The next one comes all the same."""
    reported: list[object] = []

    async def main() -> float:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: reported.append(context["exception"]))
        loop.call_later(1, int, "no number")
        await asyncio.sleep(2)
        return now()

    assert run(kind, main()) == 2
    assert [type(error) for error in reported] == [ValueError]


def test_a_loop_that_is_stopped_does_not_jump(kind: Kind) -> None:
    """Whatever is set; and it goes on from there."""
    loop = kind()
    fired: list[float] = []
    loop.call_later(10, lambda: fired.append(loop.time()))
    for turns in range(4):
        after(loop, turns, loop.stop)
        loop.run_forever()
        assert loop.time() == 0
    loop.run_until_complete(asyncio.sleep(20))
    assert fired == [10]
    loop.close()


def after(loop: asyncio.AbstractEventLoop, turns: int, do: Callable[[], object]) -> None:
    """Call ``do`` so many turns from now."""
    if turns == 0:
        loop.call_soon(do)
    else:
        loop.call_soon(after, loop, turns - 1, do)


def test_a_jump_comes_only_when_nothing_else_can_run(kind: Kind) -> None:
    """A hundred turns take no time."""

    async def main() -> float:
        for _ in range(100):
            await asyncio.sleep(0)
        return now()

    assert run(kind, main()) == 0.0


def test_time_goes_on_over_years(kind: Kind) -> None:
    """So far from 0 that a nanosecond is lost in the float."""

    async def main() -> float:
        for _ in range(10):
            await asyncio.sleep(3e8)
        return now()

    assert run(kind, main()) == pytest.approx(3e9)


@pytest.mark.parametrize("wait", [never, anyio.sleep_forever, lambda: asyncio.sleep(math.inf)])
def test_a_wait_for_nothing(kind: Kind, wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """No timer is set, but one that was called off: the error says so, and where each waits."""

    async def outer() -> None:
        asyncio.get_running_loop().call_later(60, print).cancel()
        await wait()  # here

    with pytest.raises(WouldHang, match="nothing can run any more and no timer is set") as raised:
        run(kind, outer(), max_jumps=0)
    assert "await wait()  # here" in str(raised.value)


def test_time_that_runs_and_runs(kind: Kind) -> None:
    """A periodic timer, and a wait for what never comes."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(tick())
            group.create_task(never())

    async def tick() -> None:
        for _ in itertools.repeat(None):
            await asyncio.sleep(1)

    with pytest.raises(WouldHang, match="jumped 50 times, to 50 s") as raised:
        run(kind, main(), max_jumps=50)
    assert "tick" in str(raised.value)


def test_jumps_are_counted_for_each_run(kind: Kind) -> None:
    """A test and its fixtures have a count each."""

    async def nap() -> None:
        for _ in range(40):
            await asyncio.sleep(1)

    with asyncio.Runner(loop_factory=lambda: kind(max_jumps=50)) as runner:
        runner.run(nap())
        runner.run(nap())


async def receive(socket: socket.socket) -> bytes:
    return await asyncio.get_running_loop().sock_recv(socket, 1)


def test_a_wait_for_a_socket_is_no_jump(kind: Kind) -> None:
    """Although a timer is set: it would be a timeout that never was."""
    ours, theirs = socket.socketpair()

    async def main() -> None:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_recv(ours, 1)

    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(WouldHang, match=rf"descriptor {ours.fileno()} \(socket:"):
            run(kind, main())


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_socket_of_between_two_runs_is_none_of_the_loops(kind: Kind, in_thread: bool) -> None:
    """Nor what has a number that the loop had in its last run; in the main thread and elsewhere."""
    told: list[str] = []

    def both() -> None:
        with asyncio.Runner(loop_factory=kind) as runner:
            runner.run(asyncio.sleep(5))
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            what = rf"real: descriptor {ours.fileno()} \(socket:\[\d+\]\); mark"
            with ours, theirs, pytest.raises(WouldHang, match=what):
                runner.run(receive(ours))
            told.append("stuck")

    if in_thread:
        thread = threading.Thread(target=both)
        thread.start()
        thread.join()
    else:
        both()
    assert told == ["stuck"]


def test_what_a_socket_has_already_is_read(kind: Kind) -> None:
    """Both ends are in the loop, and none waits for the other in real time."""
    ours, theirs = socket.socketpair()

    async def main() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()
        loop.call_later(60, theirs.send, b"x")
        reading = asyncio.create_task(loop.sock_recv(ours, 1))
        await asyncio.sleep(0)
        theirs.send(b"y")
        return await reading, now()

    with ours, theirs:
        ours.setblocking(False)
        assert run(kind, main()) == (b"y", 0.0)


@pytest.mark.parametrize("start", [asyncio.create_subprocess_exec, asyncio.create_subprocess_shell])
def test_a_process_is_refused_where_it_is_started(kind: Kind, start: Any) -> None:
    """Its end would come by a thread that nobody sees."""
    with pytest.raises(WouldHang, match="a process takes real time"):
        run(kind, start("true"))


@pytest.mark.parametrize("in_thread", [asyncio.to_thread, anyio.to_thread.run_sync])
def test_a_thread_is_waited_for_while_the_clock_stands(kind: Kind, in_thread: Any) -> None:
    """Its timeout is far off, however long the thread takes."""
    gate = threading.Event()

    async def main() -> float:
        threading.Timer(0.2, gate.set).start()
        async with asyncio.timeout(1e-6):
            assert await in_thread(gate.wait)
            assert await in_thread(threading.get_ident) != threading.get_ident()
        return now()

    assert run(kind, main()) == 0.0


@pytest.mark.parametrize("in_thread", [asyncio.to_thread, anyio.to_thread.run_sync])
def test_after_a_thread_the_clock_jumps_again(kind: Kind, in_thread: Any) -> None:
    """Idle threads of a pool are no reason to wait."""

    async def main() -> float:
        await in_thread(threading.get_ident)
        await asyncio.sleep(3600)
        return now()

    assert run(kind, main(), patience=0.0) == 3600


def test_a_thread_that_waits_for_the_clock(kind: Kind) -> None:
    """It would for ever; after some patience the error says so."""
    gate = threading.Event()

    async def main() -> None:
        asyncio.get_running_loop().call_later(1, gate.set)
        try:
            await asyncio.to_thread(gate.wait)
        finally:
            gate.set()

    def interrupt(error: WouldHang) -> None:
        told.append(error)
        (task,) = tasks
        task.cancel()

    told: list[WouldHang] = []
    tasks: list[asyncio.Task[None]] = []
    loop = kind(patience=0.1)
    loop.when_stuck = interrupt
    tasks.append(loop.create_task(main()))
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(tasks[0])
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert "a call in a thread has not ended for 0.1 real seconds" in str(told[0])


def test_who_is_told_and_does_nothing(kind: Kind) -> None:
    """The error is raised from the run all the same, and so is the next one."""
    told: list[WouldHang] = []
    loop = kind()
    loop.when_stuck = told.append
    for _ in range(2):
        task = loop.create_task(never())
        with pytest.raises(WouldHang):
            loop.run_until_complete(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.close()
    assert len(told) == 1
