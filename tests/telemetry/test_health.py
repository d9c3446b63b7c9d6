"""The health actor: checks that fail, hang or raise, and models that aren't ready."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from failsoft.actors import System
from failsoft.messages.events import ModelStateChanged
from failsoft.telemetry import GetHealth, HealthActor, HealthCheck, HealthReport
from failsoft.testing import VirtualTimeLoop

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in virtual time."""
    return "asyncio", {"loop_factory": VirtualTimeLoop}


async def well() -> None:
    """Find nothing wrong."""


async def full() -> None:
    raise OSError("the disk is full")


async def report(*checks: HealthCheck, after: float = 1.0) -> HealthReport:
    async with System() as system:
        health = await system.spawn(lambda: HealthActor(checks), "health")
        await asyncio.sleep(after)
        return await health.ask(GetHealth())


async def test_all_well() -> None:
    """TL-04 One check, one result, healthy."""
    told = await report(HealthCheck("disk", well))
    assert told.status == "healthy"
    assert [(result.name, result.ok) for result in told.checks] == [("disk", True)]


async def test_a_check_that_raises_is_failed_with_its_message() -> None:
    """TL-04 One that isn't critical makes the service degraded."""
    told = await report(HealthCheck("disk", full), HealthCheck("net", well))
    assert told.status == "degraded"
    assert told.critical_failures == ()
    assert {result.name: result.message for result in told.checks} == {
        "disk": "OSError: the disk is full",
        "net": "",
    }


async def test_a_critical_check_makes_it_critical() -> None:
    """TL-04 It is named."""
    told = await report(HealthCheck("disk", full, critical=True))
    assert (told.status, told.critical_failures) == ("critical", ("disk",))


async def test_a_check_that_hangs_is_failed_at_its_timeout_and_delays_no_other() -> None:
    """TL-04 The other one has its result meanwhile."""
    hangs = HealthCheck("stuck", anyio.sleep_forever, timeout=3)
    early = await report(hangs, HealthCheck("disk", well), after=1)
    assert [result.name for result in early.checks] == ["disk"]
    late = await report(hangs, HealthCheck("disk", well), after=4)
    assert {result.name: result.message for result in late.checks} == {
        "disk": "",
        "stuck": "did not end within 3 s",
    }


async def test_checks_run_again_at_their_interval() -> None:
    """TL-04 What was wrong is found to be well again."""
    fails = True

    async def check() -> None:
        if fails:
            raise RuntimeError("not yet")

    async with System() as system:
        health = await system.spawn(lambda: HealthActor([HealthCheck("x", check)]), "health")
        await asyncio.sleep(1)
        assert (await health.ask(GetHealth())).status == "degraded"
        fails = False
        await asyncio.sleep(10)
        assert (await health.ask(GetHealth())).status == "healthy"


@pytest.mark.parametrize(
    ("states", "status"),
    [
        ({"a": "ready", "b": "busy"}, "healthy"),
        ({"a": "loading", "b": "ready"}, "degraded"),
        ({"a": "loading", "b": "failed"}, "critical"),
    ],
)
async def test_models_that_are_not_ready_count(states: dict[str, str], status: str) -> None:
    """TL-04 None ready is critical, some that aren't is degraded."""
    async with System() as system:
        health = await system.spawn(HealthActor, "health")
        for path, state in states.items():
            system.events.publish(ModelStateChanged, path, before="starting", after=state)
        told = await health.ask(GetHealth())
    assert (told.status, told.models) == (status, states)


def test_two_checks_of_one_name_are_an_error() -> None:
    """SV-12 Before anything starts."""
    with pytest.raises(ValueError, match="same name"):
        HealthActor([HealthCheck("x", well), HealthCheck("x", well)])
