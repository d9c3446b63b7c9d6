"""A handler that holds the loop is named, with the line where it does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import pytest
import uvloop
from structlog.testing import capture_logs

from failsoft.actors import Actor, System, handles
from failsoft.actors.blocking import LoopWatch, is_in_real_time
from failsoft.messages import Request
from failsoft.messages.events import LoopBlocked
from failsoft.testing import EventRecorder, VirtualTimeLoop

from .sample_actors import Notebook, Noted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("plain_logs")]

LIMIT = 0.1


class Hold(Request[None], frozen=True):
    """Hold the loop until the watch has seen it."""


class HoldBeside(Hold, frozen=True):
    pass


class Holder(Actor):
    def __init__(self, hold: Callable[[], object]) -> None:
        self.hold = hold

    @handles(Hold)
    def plain(self, _message: Hold) -> None:
        self.hold()  # here

    @handles(HoldBeside, interleave=True)
    async def beside(self, _message: HoldBeside) -> None:
        await asyncio.sleep(0)
        self.hold()  # here


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in real time, on either loop."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@pytest.fixture
async def system(clean_loop: None) -> AsyncIterator[System]:
    async with System(block_limit=LIMIT) as system:
        yield system


@pytest.mark.parametrize("kind", [Hold, HoldBeside])
async def test_a_handler_that_holds_the_loop_is_told(system: System, kind: type[Hold]) -> None:
    """RT-23 Once, with its path, about how long, and where; and a line says so meanwhile."""
    seen = threading.Event()

    def hold() -> None:
        # Ended by what is logged, from the watch's thread: no matter how slow the machine is.
        assert seen.wait(60)

    events = EventRecorder(system)
    ref = await system.spawn(lambda: Holder(hold), "holder")
    with capture_logs() as logs:
        told = _when_logged(logs, seen)
        await ref.ask(kind())
        event = await events.wait_for(LoopBlocked)
        told.join()
    assert event.path == "holder"
    assert event.seconds >= LIMIT
    assert "test_blocking.py:" in event.place
    assert event.place.endswith("in hold")
    (line,) = [line for line in logs if line["event"] == "loop.blocked"]
    assert (line["path"], line["place"]) == ("holder", event.place)
    assert len(events.of(LoopBlocked)) == 1
    events.close()


def _when_logged(logs: Sequence[Mapping[str, object]], seen: threading.Event) -> threading.Thread:
    def look() -> None:
        ends = time.monotonic() + 60
        while time.monotonic() < ends and not any(e["event"] == "loop.blocked" for e in logs):
            seen.wait(0.001)
        seen.set()

    thread = threading.Thread(target=look)
    thread.start()
    return thread


async def test_a_watch_ends_with_its_system(clean_loop: None) -> None:
    """RT-20 Its thread too; and there is none where it isn't wanted."""

    def watches() -> list[threading.Thread]:
        return [t for t in threading.enumerate() if t.name == "failsoft loop watch"]

    async with System():
        assert len(watches()) == 1
    async with System(block_limit=None):
        assert watches() == []
    with pytest.raises(ValueError, match="block_limit must be over 0 s, or None; it is 0"):
        System(block_limit=0)


def test_a_virtual_clock_has_no_watch() -> None:
    """RT-23 Time stands still in a handler, so there is nothing to tell."""

    async def main() -> bool:
        async with System() as system:
            ref = await system.spawn(Notebook, "a")
            await ref.ask(Noted())
            assert not any(t.name == "failsoft loop watch" for t in threading.enumerate())
            return is_in_real_time(asyncio.get_running_loop())

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        assert not runner.run(main())
    for factory in (asyncio.new_event_loop, uvloop.new_event_loop):
        loop = factory()
        assert is_in_real_time(loop)
        loop.close()


class Stepped:
    """Drive a watch by hand: what it samples, and what the loop runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float = 1) -> None:
        self.told: list[tuple[str, str]] = []
        self.watch = LoopWatch(
            loop,
            limit * 1e6,
            lambda _task: "a",
            lambda path, _s, place: self.told.append((path, place)),
        )
        self.watch._limit = limit

    def tell(self, path: str, _seconds: float, place: str) -> None:
        self.told.append((path, place))

    def sample(self, now: float) -> None:
        self.watch._sample(now)


async def test_many_short_steps_are_no_block(clean_loop: None) -> None:
    """RT-23 The loop is busy for long, and always comes by."""
    stepped = Stepped(asyncio.get_running_loop())
    try:
        for second in range(5):
            stepped.sample(second)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert stepped.told == []
        stepped.sample(10)
        stepped.sample(10.9)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert stepped.told == []
        for second in (20, 21, 22):
            stepped.sample(second)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [path for path, _place in stepped.told] == ["a"]
    finally:
        stepped.watch.stop()


async def test_a_step_is_not_held_against_another_task(clean_loop: None) -> None:
    """RT-23 That one's step has only just begun."""
    stepped = Stepped(asyncio.get_running_loop())

    async def other() -> None:
        stepped.sample(5)

    try:
        queued = asyncio.ensure_future(other())
        stepped.sample(0)
        await queued
        await asyncio.sleep(0)
        assert stepped.told == []
    finally:
        stepped.watch.stop()
