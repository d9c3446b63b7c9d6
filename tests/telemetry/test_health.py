"""The health actor: checks that fail, hang, raise and flap, and what is told of them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from failsoft.actors import Ref, System
from failsoft.messages.events import ActorStopped, Event
from failsoft.supervisors import NO_WAIT, child, supervisor
from failsoft.telemetry import (
    GetHealth,
    Health,
    HealthActor,
    HealthChanged,
    HealthCheck,
    HealthReport,
    Unhealthy,
)

pytestmark = pytest.mark.anyio


async def well(_system: System) -> None:
    """Find nothing wrong."""


async def full(_system: System) -> None:
    raise OSError("the disk is full")


async def hangs(_system: System) -> None:
    await anyio.sleep_forever()


def by_turns(results: str) -> Callable[[System], Awaitable[None]]:
    """Give a check that fails at each ``-``, and goes on as at the last one."""
    left = list(results)

    async def run(_system: System) -> None:
        if (left.pop(0) if len(left) > 1 else left[0]) == "-":
            raise Unhealthy("not now")

    return run


async def watch(system: System, *checks: HealthCheck) -> Ref:
    return await system.spawn(lambda: HealthActor(Health(checks)), "health")


async def report(system: System, *checks: HealthCheck, after: float = 1.0) -> HealthReport:
    health = await watch(system, *checks)
    await asyncio.sleep(after)
    return await health.ask(GetHealth())


def changes(events: list[Event]) -> list[tuple[str, str]]:
    return [(e.before, e.after) for e in events if isinstance(e, HealthChanged)]


async def test_all_well(system: System) -> None:
    """TL-04 One check, one result, healthy."""
    told = await report(system, HealthCheck("disk", well))
    assert told.status == "healthy"
    assert [(result.name, result.ok) for result in told.checks] == [("disk", True)]


async def test_a_check_that_raises_is_failed_with_its_message(system: System) -> None:
    """TL-04 One that isn't critical makes the service degraded."""
    told = await report(system, HealthCheck("disk", full), HealthCheck("net", well))
    assert told.status == "degraded"
    assert told.critical_failures == ()
    assert {result.name: result.message for result in told.checks} == {
        "disk": "OSError: the disk is full",
        "net": "",
    }


async def test_what_a_check_says_itself_is_told_as_it_is(system: System) -> None:
    """TL-04 Without the name of a class."""
    told = await report(system, HealthCheck("x", by_turns("-")))
    assert told.checks[0].message == "not now"


async def test_a_critical_check_makes_it_critical(system: System, events: list[Event]) -> None:
    """TL-04 It is named, in the event too."""
    told = await report(system, HealthCheck("disk", full, critical=True))
    assert (told.status, told.critical_failures) == ("critical", ("disk",))
    (change,) = [event for event in events if isinstance(event, HealthChanged)]
    assert (change.before, change.after) == ("healthy", "critical")
    assert change.critical_failures == ("disk",)


async def test_a_stop_waits_for_no_check(system: System, events: list[Event]) -> None:
    """A check may take seconds, and a service that ends has them not to spare."""
    health = await watch(system, HealthCheck("slow", hangs, timeout=60))
    await asyncio.sleep(1)
    began = system.clock.now()
    await system.stop(health)
    assert system.clock.now() == began
    assert [str(each.reason) for each in events if isinstance(each, ActorStopped)] == ["shutdown"]


async def test_a_check_that_hangs_is_failed_at_its_timeout_and_delays_no_other(
    system: System,
) -> None:
    """TL-04 The other one has its result meanwhile."""
    health = await watch(system, HealthCheck("stuck", hangs, timeout=3), HealthCheck("disk", well))
    await asyncio.sleep(1)
    early = await health.ask(GetHealth())
    assert [result.name for result in early.checks] == ["disk"]
    await asyncio.sleep(2.5)
    late = await health.ask(GetHealth())
    assert {result.name: (result.message, result.seconds) for result in late.checks} == {
        "disk": ("", 0.0),
        "stuck": ("did not end within 3 s", 3.0),
    }


async def test_a_check_that_hangs_is_called_off_and_begun_again(system: System) -> None:
    """TL-04 At its next time: what it waited for may have come back."""
    runs = ended = 0

    async def hangs_at_first(_system: System) -> None:
        nonlocal runs, ended
        runs += 1
        try:
            await (anyio.sleep_forever() if runs == 1 else anyio.lowlevel.checkpoint())
        finally:
            ended += 1

    told = await report(system, HealthCheck("x", hangs_at_first, interval=10, timeout=3), after=4)
    assert (told.status, runs, ended) == ("degraded", 1, 1)
    await asyncio.sleep(10)
    assert (await system.ref("health").ask(GetHealth())).status == "healthy"
    assert (runs, ended) == (2, 2)


async def test_a_check_that_cannot_be_cancelled_is_not_begun_again(system: System) -> None:
    """TL-04 It fails at each interval until it has ended; the actor goes on meanwhile."""
    runs, may_end = 0, asyncio.Event()

    async def deaf(_system: System) -> None:
        nonlocal runs
        runs += 1
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue

    told = await report(system, HealthCheck("deaf", deaf, interval=10, timeout=3), after=45)
    assert runs == 1
    (result,) = told.checks
    assert (result.ok, result.message, result.at) == (False, "its last run hasn't ended yet", 40)
    may_end.set()
    await asyncio.sleep(10)
    again = await system.ref("health").ask(GetHealth())
    assert (runs, again.status) == (2, "healthy")


async def test_a_check_that_is_only_slow_is_not_begun_beside_itself(system: System) -> None:
    """TL-04 Its interval may be shorter than it takes."""
    runs = 0

    async def slow(_system: System) -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(7)

    told = await report(system, HealthCheck("slow", slow, interval=2, timeout=20), after=7.5)
    assert (runs, told.checks[0].ok, told.checks[0].seconds) == (1, True, 7.0)


async def test_a_cancellation_of_the_checks_own_is_its_finding(system: System) -> None:
    """TL-04 It awaited what somebody else had cancelled: no failure of the actor."""

    async def cancelled(_system: System) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    told = await report(system, HealthCheck("x", cancelled))
    assert told.checks[0].message == "CancelledError"
    assert system.ref("health").is_alive


async def test_one_failure_of_a_check_that_was_well_changes_nothing(
    system: System, events: list[Event]
) -> None:
    """TL-04 A check that flaps leaves the status alone; two failures in a row turn it."""
    flapping = HealthCheck("net", by_turns("+-+-+-+--+"), interval=10)
    health = await watch(system, flapping)
    await asyncio.sleep(75)
    told = await health.ask(GetHealth())
    assert (told.status, told.checks[0].message) == ("healthy", "not now")
    assert changes(events) == []
    await asyncio.sleep(30)
    assert changes(events) == [("healthy", "degraded"), ("degraded", "healthy")]


async def test_failures_in_its_grace_do_not_count(system: System, events: list[Event]) -> None:
    """TL-04 Something that is slow to start is no failure, but it is told."""
    check = HealthCheck("cache", by_turns("-"), interval=10, grace=25)
    told = await report(system, check, after=21)
    assert (told.status, told.checks[0].message) == ("healthy", "not now")
    await asyncio.sleep(10)
    assert changes(events) == [("healthy", "degraded")]


async def test_verdicts_and_status_outlive_the_actor(system: System, events: list[Event]) -> None:
    """TL-08 The next incarnation tells of changes since, and not of what was told already."""
    health = Health([HealthCheck("disk", by_turns("---+"), interval=10)])
    tree = supervisor(
        "root", child("health", functools.partial(HealthActor, health)), backoff=NO_WAIT
    )
    await system.spawn(tree.start, tree.id)
    await asyncio.sleep(5)
    address = system.ref("root/health").address
    address.crash(RuntimeError("telemetry is down"))  # type: ignore[attr-defined]
    await asyncio.sleep(25)
    assert changes(events) == [("healthy", "degraded"), ("degraded", "healthy")]


def test_two_checks_of_one_name_are_an_error() -> None:
    """SV-12 Before anything starts."""
    with pytest.raises(ValueError, match="same name"):
        Health([HealthCheck("x", well), HealthCheck("x", well)])


@pytest.mark.parametrize(
    "wrong", [{"interval": 0}, {"timeout": 0}, {"grace": -1}, {"bad_after": 0}]
)
def test_a_check_is_held_against_its_bounds(wrong: dict[str, float]) -> None:
    """SV-12 Where it is made."""
    with pytest.raises(ValueError, match="the check 'x' needs"):
        HealthCheck("x", well, **wrong)  # type: ignore[arg-type]
