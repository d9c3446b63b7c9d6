"""The check for leaks: what it finds, and what it lets pass."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import ClassVar

import pytest
import uvloop

from failsoft.actors import ModelActor, System
from failsoft.gpu import WorkerHost
from failsoft.messages.events import WorkerReady
from failsoft.testing import EventRecorder, LeakCheck, LeakFound, no_leaks, running_system, scripted

pytestmark = pytest.mark.anyio

# Ends when its stdin does.
WAITS = (sys.executable, "-c", "import sys; sys.stdin.read()")


async def checked(block: Callable[[], object]) -> None:
    """Call ``block`` under the check."""
    async with no_leaks():
        block()
        await asyncio.sleep(0)


async def found_after(block: Callable[[], object]) -> LeakFound:
    """Give what the check finds after ``block``."""
    with pytest.raises(LeakFound) as raised:
        await checked(block)
    return raised.value


def popen(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def open_null() -> int:
    return os.open(os.devnull, os.O_RDONLY)


async def test_nothing_is_left() -> None:
    """What began and ended in the block is nothing: a task, a process, a file."""
    async with no_leaks():
        await asyncio.create_task(asyncio.sleep(0))
        os.close(open_null())
        process = await asyncio.create_subprocess_exec(*WAITS, stdin=subprocess.PIPE)
        await process.communicate(b"")


async def test_what_was_there_before_is_no_leak() -> None:
    """Only what the block adds counts."""
    task, number = asyncio.create_task(asyncio.Event().wait()), open_null()
    with popen(*WAITS):
        await checked(lambda: None)
    os.close(number)
    task.cancel()


async def test_a_task_is_left() -> None:
    """It is named, with the line where it waits."""
    tasks = []

    async def waits() -> None:
        await asyncio.Event().wait()  # the line

    def leave() -> None:
        tasks.append(asyncio.create_task(waits(), name="left-over"))

    leak = await found_after(leave)
    (told,) = leak.tasks
    assert "left-over" in told
    assert "await asyncio.Event().wait()  # the line" in told
    assert leak.descriptors == leak.processes == leak.errors == ()
    tasks[0].cancel()


async def test_a_descriptor_is_left() -> None:
    """It is named by number and by what it is."""
    numbers: list[int] = []
    leak = await found_after(lambda: numbers.append(open_null()))
    assert leak.descriptors == (f"{numbers[0]}: /dev/null",)
    os.close(numbers[0])


async def test_a_number_that_stands_for_something_else() -> None:
    """A descriptor that was closed and taken anew is found by what it is."""
    number = open_null()

    def replace() -> None:
        os.close(number)
        assert os.open("/dev/zero", os.O_RDONLY) == number

    leak = await found_after(replace)
    assert leak.descriptors == (f"{number}: /dev/zero",)
    os.close(number)


@pytest.mark.parametrize("command", [WAITS, ("true",)], ids=["alive", "ended"])
async def test_a_process_is_left(command: tuple[str, ...]) -> None:
    """Alive, or ended and never waited for."""
    left: list[subprocess.Popen[bytes]] = []
    leak = await found_after(lambda: left.append(popen(*command)))
    (told,) = leak.processes
    assert f"(pid {left[0].pid})" in told
    assert told.endswith("which nobody waited for") == (command == ("true",))
    left[0].communicate()


async def test_a_process_whose_parent_has_ended() -> None:
    """It is nobody's child any more, and found since it was noted before."""
    command = ("sh", "-c", "sleep 600 >/dev/null & echo $!; read line")
    check = LeakCheck()
    parent = popen(*command)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    check.note_processes()
    parent.communicate()
    try:
        with pytest.raises(LeakFound, match=rf"\(pid {pid}\)"):
            await check.check()
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_a_process_that_changes_its_name() -> None:
    """It is the same one, and was there before."""
    process = popen("sh", "-c", "echo up; read line; exec cat")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    async with no_leaks():
        process.stdin.write(b"go\nas cat\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"as cat\n"
    process.communicate()


@pytest.mark.parametrize("left", [0, 2])
def test_what_uvloop_opens_for_each_run_is_no_leak(left: int) -> None:
    """A test and its fixtures are a run each. What is left besides is found."""
    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        contextlib.ExitStack() as own,
    ):
        before = open_null()
        check = runner.run(begin())
        os.close(before)  # so that the loop's will have other numbers
        for _ in range(left):
            own.enter_context(socket.socket())
        found = 0
        try:
            runner.run(check.check())
        except LeakFound as leak:
            found = len(leak.descriptors)
        assert found == left


async def begin() -> LeakCheck:
    """Make a check in the running loop."""
    return LeakCheck()


async def test_an_error_that_nobody_took() -> None:
    """It comes to light when the collector has been."""

    def lose() -> None:
        future = asyncio.get_running_loop().create_future()
        future.set_exception(ValueError("lost"))
        cycle: list[object] = [future]
        cycle.append(cycle)

    leak = await found_after(lose)
    assert leak.errors == ("Future exception was never retrieved: ValueError('lost')",)


async def test_an_error_in_the_block_goes_first() -> None:
    """What is left then only follows from it; and the loop's handler is as it was."""
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    tasks = []

    def fail() -> None:
        tasks.append(asyncio.create_task(asyncio.Event().wait()))
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        await checked(fail)
    tasks[0].cancel()
    assert loop.get_exception_handler() == handler


async def serve_and_stop() -> None:
    """Have a worker come up in a system, and stop that."""
    async with running_system() as system:
        await serve(system)


async def serve(system: System) -> None:
    events = EventRecorder(system)
    await system.spawn(lambda: ModelActor(scripted()), "model")
    await events.wait_for(WorkerReady, path="model")


async def test_a_system_with_a_worker_leaves_nothing() -> None:
    """The worker, its template, the reaper, and all that was open to them."""
    await serve_and_stop()


class ForgetfulHost(WorkerHost):
    """Leave everything as it is."""

    left: ClassVar[list[WorkerHost]] = []

    async def aclose(self) -> None:
        self.left.append(self)


async def test_workers_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole family is named: reaper and template."""
    monkeypatch.setattr("failsoft.gpu.handle.kind.WorkerHost", ForgetfulHost)
    with pytest.raises(LeakFound) as raised:
        await serve_and_stop()
    names = {told.partition(" ")[0] for told in raised.value.processes}
    assert names >= {"failsoft-reaper", "failsoft-templ"}
    assert raised.value.descriptors
    await WorkerHost.aclose(ForgetfulHost.left.pop())


async def test_a_seed_makes_chance_the_same_again() -> None:
    """The system's own source of it."""
    drawn = []
    for seed in (1, 1, 2):
        async with running_system(seed=seed) as system:
            drawn.append(system.random.random())
    assert drawn[0] == drawn[1] != drawn[2]


async def test_the_check_can_be_left_out() -> None:
    """Then a task may be left."""
    async with running_system(check_leaks=False):
        task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
