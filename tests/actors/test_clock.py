"""The clock's timers: in order, on time, and without a trace of those that were called off."""

from __future__ import annotations

import asyncio
from functools import partial
from random import Random

import pytest
import uvloop

from failsoft.actors import LoopClock, Timer

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("clean_loop")]


async def test_virtual_time_is_on_either_loop(request: pytest.FixtureRequest) -> None:
    """RT-22 Else all the others would prove it for one."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, uvloop.Loop) == ("uvloop" in request.node.name)
    assert loop.time() == 0


async def test_timers_come_in_order_of_time_and_then_of_setting() -> None:
    """RT-15 Whatever the order in which they are set; never before their time."""
    clock = LoopClock()
    seen: list[tuple[float, int]] = []

    def note(when: float, number: int) -> None:
        assert clock.now() >= when
        seen.append((when, number))

    random = Random(7)
    for number in range(200):
        when = float(random.randrange(20))
        clock.call_at(when, partial(note, when, number))
    await asyncio.sleep(100)
    assert len(seen) == 200
    assert seen == sorted(seen)


async def test_a_timer_may_set_and_cancel_others() -> None:
    """RT-15 Also those of the same time, and earlier ones than any that wait."""
    clock = LoopClock()
    seen: list[str] = []
    timers: dict[str, Timer] = {}

    def first() -> None:
        seen.append("first")
        timers["same time"].cancel()
        clock.call_at(2, lambda: seen.append("new"))

    clock.call_at(1, first)
    timers["same time"] = clock.call_at(1, lambda: seen.append("cancelled"))
    clock.call_at(3, lambda: seen.append("last"))
    await asyncio.sleep(10)
    assert seen == ["first", "new", "last"]


async def test_a_timer_in_the_past_comes_at_once() -> None:
    """RT-15 In the loop's next turn, not in the call that sets it."""
    clock = LoopClock()
    seen: list[str] = []
    clock.call_at(-5, lambda: seen.append("past"))
    assert seen == []
    await asyncio.sleep(1e-9)
    assert seen == ["past"]


async def test_timers_that_were_called_off_take_no_room() -> None:
    """RT-15 A million requests that were answered in time leave nothing to be gone through."""
    clock = LoopClock()
    seen: list[int] = []
    kept = [clock.call_at(50, partial(seen.append, number)) for number in range(100)]
    for _ in range(10_000):
        timer = clock.call_at(30, partial(seen.append, -1))
        timer.cancel()
        timer.cancel()
    assert len(clock._heap) < 400
    kept[0].cancel()
    await asyncio.sleep(100)
    assert seen == list(range(1, 100))
    kept[1].cancel()
    assert clock.called_off == 0
    assert clock._heap == []
