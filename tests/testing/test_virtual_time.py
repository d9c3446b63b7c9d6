"""The loop with virtual time: it jumps, waits for threads, and never waits in vain."""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import anyio.to_thread
import pytest

from failsoft.testing import VirtualTimeLoop, WouldHang


def run(main: Coroutine[Any, Any, object], **options: Any) -> object:
    """Run ``main`` on a loop of its own."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(**options)) as runner:
        return runner.run(main)


async def never() -> None:
    await asyncio.Event().wait()


def now() -> float:
    return asyncio.get_running_loop().time()


def test_timers_fire_in_their_order_at_their_time() -> None:
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

    run(main())
    assert [name for name, _ in fired] == ["a", "b", "c"]
    assert [when for _, when in fired] == pytest.approx([1e-9, 7200, 1e10], rel=1e-12)


def test_a_jump_comes_only_when_nothing_else_can_run() -> None:
    """A hundred turns take no time."""

    async def main() -> float:
        for _ in range(100):
            await asyncio.sleep(0)
        return now()

    assert run(main()) == 0.0


def test_time_goes_on_over_years() -> None:
    """So far from 0 that a nanosecond is lost in the float."""

    async def main() -> float:
        for _ in range(10):
            await asyncio.sleep(3e8)
        return now()

    assert run(main()) == pytest.approx(3e9)


@pytest.mark.parametrize("wait", [never, anyio.sleep_forever, lambda: asyncio.sleep(math.inf)])
def test_a_wait_for_nothing(wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """No timer is set: the error says so, and where each task waits."""

    async def outer() -> None:
        await wait()  # here

    with pytest.raises(WouldHang, match="nothing can run any more and no timer is set") as raised:
        run(outer())
    assert "await wait()  # here" in str(raised.value)


def test_time_that_runs_and_runs() -> None:
    """A periodic timer, and a wait for what never comes."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(tick())
            group.create_task(never())

    async def tick() -> None:
        for _ in itertools.repeat(None):
            await asyncio.sleep(1)

    with pytest.raises(WouldHang, match="jumped 50 times, to 50 s") as raised:
        run(main(), max_jumps=50)
    assert "tick" in str(raised.value)


def test_jumps_are_counted_for_each_run() -> None:
    """A test and its fixtures have a count each."""

    async def nap() -> None:
        for _ in range(40):
            await asyncio.sleep(1)

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(max_jumps=50)) as runner:
        runner.run(nap())
        runner.run(nap())


def test_a_wait_for_a_socket_is_no_jump() -> None:
    """Although a timer is set: it would be a timeout that never was."""
    ours, theirs = socket.socketpair()

    async def main() -> None:
        async with asyncio.timeout(5):
            await asyncio.get_running_loop().sock_recv(ours, 1)

    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(WouldHang, match=rf"descriptor {ours.fileno()} \(socket:"):
            run(main())


def test_what_a_socket_has_already_is_read() -> None:
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
        assert run(main()) == (b"y", 0.0)


@pytest.mark.parametrize("start", [asyncio.create_subprocess_exec, asyncio.create_subprocess_shell])
def test_a_process_is_refused_where_it_is_started(start: Any) -> None:
    """Its end would come by a thread that nobody sees."""
    with pytest.raises(WouldHang, match="a process takes real time"):
        run(start("true"))


@pytest.mark.parametrize("in_thread", [asyncio.to_thread, anyio.to_thread.run_sync])
def test_a_thread_is_waited_for_while_the_clock_stands(in_thread: Any) -> None:
    """Its timeout is far off, however long the thread takes."""
    gate = threading.Event()

    async def main() -> float:
        threading.Timer(0.2, gate.set).start()
        async with asyncio.timeout(1e-6):
            assert await in_thread(gate.wait)
            assert await in_thread(threading.get_ident) != threading.get_ident()
        return now()

    assert run(main()) == 0.0


@pytest.mark.parametrize("in_thread", [asyncio.to_thread, anyio.to_thread.run_sync])
def test_after_a_thread_the_clock_jumps_again(in_thread: Any) -> None:
    """Idle threads of a pool are no reason to wait."""

    async def main() -> float:
        await in_thread(threading.get_ident)
        await asyncio.sleep(3600)
        return now()

    assert run(main(), patience=0.0) == 3600


def test_a_thread_that_waits_for_the_clock() -> None:
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
    loop = VirtualTimeLoop(patience=0.1)
    loop.when_stuck = interrupt
    tasks.append(loop.create_task(main()))
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(tasks[0])
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    assert "a call in a thread has not ended for 0.1 real seconds" in str(told[0])


def test_who_is_told_and_does_nothing() -> None:
    """The error is raised from the run all the same, and so is the next one."""
    told: list[WouldHang] = []
    loop = VirtualTimeLoop()
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
