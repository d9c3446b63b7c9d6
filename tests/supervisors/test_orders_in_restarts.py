"""Orders that come while children are being restarted, started or stopped."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import ActorStopped, System
from failsoft.messages.events import Event, RestartCalledOff
from failsoft.supervisors import (
    Backoff,
    RestartChild,
    StartChild,
    Strategy,
    TerminateChild,
)

from .family import Count, Fail, Family, phases, quiet

pytestmark = pytest.mark.anyio

TEN = Backoff(10, jitter=False)


async def test_termination_in_backoff_calls_the_restart_off(
    system: System, events: list[Event]
) -> None:
    """SV-17 It doesn't happen, and what waited in its mailbox is answered."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", backoff=TEN), "root")
    ref = system.ref("root/a")
    family.tell("a", Fail())
    await quiet()
    waiting = asyncio.ensure_future(ref.ask(Count(), timeout=100))
    await quiet()
    waiting_node = family.node("root/a")
    assert waiting_node is not None
    assert waiting_node.waiting_until == 10
    await root.ask(TerminateChild("a"))
    assert RestartCalledOff(path="root", at=system.clock.now(), children=("a",)) in events
    with pytest.raises(ActorStopped):
        await waiting
    await asyncio.sleep(100)
    assert family.take_log() == "+a +b -a"
    assert await phases(root) == {"a": "stopped", "b": "running"}
    await root.ask(RestartChild("a"))
    assert family.take_log() == "+a"


@pytest.mark.parametrize("who", ["a", "b", "c"])
async def test_a_group_that_waits_goes_on_without_who_was_terminated(
    system: System, who: str
) -> None:
    """SV-17 Be it the one that failed, or one that was stopped with it."""
    family = Family(system)
    root = await system.spawn(family.supervisor("abc", "one_for_all", backoff=TEN), "root")
    family.tell("b", Fail())
    await quiet()
    family.take_log()
    await root.ask(TerminateChild(who))
    await asyncio.sleep(100)
    others = [id for id in "abc" if id != who]
    assert family.take_log() == " ".join(f"+{id}" for id in others)
    assert await phases(root) == {id: "stopped" if id == who else "running" for id in "abc"}


async def test_a_group_whose_last_child_was_terminated_is_at_rest(system: System) -> None:
    """SV-17 Nothing is left to start; the supervisor goes on, and takes orders."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", "one_for_all", backoff=TEN), "root")
    family.tell("a", Fail())
    await quiet()
    await root.ask(TerminateChild("a"))
    await root.ask(TerminateChild("b"))
    await root.ask(RestartChild("b"))
    await asyncio.sleep(100)
    assert family.take_log() == "+a +b -a -b +b"


async def test_termination_while_it_starts_again(system: System) -> None:
    """SV-17 The start is called off; the ones after it are started all the same."""
    family = Family(system)
    root = await system.spawn(family.supervisor("abc", "one_for_all"), "root")
    family.starts_in["b"] = 5
    family.tell("a", Fail())
    await asyncio.sleep(1)
    family.take_log()
    await root.ask(TerminateChild("b"))
    await quiet()
    assert family.take_log() == "-b +c"
    assert await phases(root) == {"a": "running", "b": "stopped", "c": "running"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("when", ["stopping", "waiting", "starting"])
async def test_a_child_added_in_a_restart_comes_after_it(
    system: System, strategy: Strategy, when: str
) -> None:
    """SV-19 Never in its midst: all of the others are up before it is begun."""
    family = Family(system)
    start = family.supervisor("abc", strategy, backoff=TEN)
    root = await system.spawn(start, "root")
    family.stops_in = dict.fromkeys("abc", 1.0)
    family.starts_in = dict.fromkeys("abcd", 1.0)
    family.tell("a", Fail())
    await asyncio.sleep({"stopping": 1.5, "waiting": 5, "starting": 14.5}[when])
    assert (await phases(root))["c"] != "running"
    family.take_log()
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("d"))))
    await quiet()
    assert (await phases(root))["d"] == "starting"
    ref = await adding
    log = family.take_log()
    assert log.endswith("+c +d")
    assert log.count("+d") == 1
    assert await ref.ask(Count()) == 1
    assert set((await phases(root)).values()) == {"running"}


async def test_a_restart_takes_a_child_along_that_is_being_added(system: System) -> None:
    """SV-19 One that is on its way up takes part: stopped with the others, started in order."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", "one_for_all"), "root")
    family.starts_in["c"] = 5
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("c"))))
    await asyncio.sleep(1)
    family.take_log()
    family.tell("a", Fail())
    assert (await adding).path == "root/c"
    assert family.take_log() == "-a -c -b +a +b +c"
    assert system.clock.now() == pytest.approx(6)


async def test_an_order_outruns_the_first_start_and_comes_after_it(system: System) -> None:
    """SV-19 A supervisor that is yet to come up takes it in."""
    family = Family(system)
    family.starts_in["b"] = 5
    spawning = asyncio.ensure_future(system.spawn(family.supervisor("abc"), "root"))
    await asyncio.sleep(1)
    ref = await system.ref("root").ask(StartChild(family.spec("d")))
    assert ref.path == "root/d"
    await spawning
    assert family.take_log() == "+a +b +c +d"


async def test_orders_to_a_supervisor_that_ends_are_answered(system: System) -> None:
    """SV-18 A start at once, with the reason; a termination when the child is down."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", "one_for_all", backoff=TEN), "root")
    family.tell("b", Fail())
    await quiet()
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("c"))))
    await asyncio.sleep(15)
    await adding
    family.stops_in = {"b": 4}
    family.starts_in = {"d": 60}
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("d"))))
    await quiet()
    began = system.clock.now()
    stopping = asyncio.ensure_future(system.stop(root))
    await quiet()
    terminating = asyncio.ensure_future(root.ask(TerminateChild("a")))
    late = asyncio.ensure_future(root.ask(RestartChild("c")))
    with pytest.raises(ActorStopped, match="shutdown"):
        await adding
    with pytest.raises(ActorStopped):
        await late
    assert system.clock.now() - began < 1
    await terminating
    assert system.clock.now() - began == pytest.approx(4)
    await stopping
