"""The built-in checks: what each takes for wrong, and what it doesn't."""

from __future__ import annotations

import asyncio
import sys
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest

from failsoft.actors import ExitReason, LoopClock, System, Timer, handles
from failsoft.messages import GenerateText, InferenceTimeout, TextReply
from failsoft.messages.events import Event
from failsoft.supervisors import candidate, child, router, supervisor
from failsoft.telemetry import (
    CheckUnavailable,
    Health,
    HealthActor,
    HealthChanged,
    HealthCheck,
    Unhealthy,
)
from failsoft.telemetry.checks import (
    default_checks,
    disk_check,
    gpu_memory_check,
    host_memory_check,
    loop_lag_check,
    model_check,
    models_check,
    tree_check,
    workers_check,
)

from .standing_models import StandingModel, enter, standing

pytestmark = pytest.mark.anyio

GIB = 2**30


async def found(system: System, check: HealthCheck) -> str:
    """Run a check; give what it finds to be wrong."""
    await asyncio.sleep(0.1)
    try:
        await check.run(system)
    except Unhealthy as error:
        return str(error)
    return ""


async def spawn_text(system: System, *states: str, **shows: object) -> None:
    """Start a tree with one router, whose candidates are in these states."""
    names = ("primary", "understudy")
    models = [standing(id, state, **shows) for id, state in zip(names, states, strict=False)]
    tree = supervisor("root", router("text", *models))
    await system.spawn(tree.start, tree.id)


# -- the tree


async def test_models_on_their_first_load_are_no_failure(system: System) -> None:
    """TL-04 They are not ready: that is another question."""
    await spawn_text(system, "loading", "warming")
    assert await found(system, models_check()) == ""
    assert await found(system, tree_check()) == ""


async def test_a_router_without_a_model_to_ask_fails(system: System) -> None:
    """TL-04 Which one, and why."""
    await spawn_text(system, "ready", "ready")
    assert await found(system, models_check()) == ""
    enter(system, "root/text/primary", "failed")
    assert await found(system, models_check()) == ""
    enter(system, "root/text/understudy", "draining")
    assert await found(system, models_check()) == (
        "root/text has no model to ask: primary is down, understudy is draining"
    )


async def test_an_actor_that_waits_for_its_restart_fails_the_check_of_the_tree(
    system: System,
) -> None:
    """TL-04 It says for how long; and a model that loads again is told of as well."""
    await spawn_text(system, "loading", "ready")
    enter(system, "root/text/primary", "failed")
    assert await found(system, tree_check()) == "root/text/primary is down for 60 s more"
    await asyncio.sleep(61)
    assert await found(system, tree_check()) == "root/text/primary is loading"


async def test_many_troubles_are_told_in_few_words(system: System) -> None:
    """TL-04 A report of a large tree is bounded."""
    models = [child(f"m{n}", lambda: StandingModel("draining")) for n in range(30)]
    tree = supervisor("root", *models)
    await system.spawn(tree.start, tree.id)
    said = await found(system, tree_check())
    assert said.count("is draining") == 5
    assert said.endswith("; and 25 more")


class SlowToStop(StandingModel):
    def on_shutdown(self, reason: ExitReason) -> bool:
        self.standing_in("draining")
        return True

    async def on_stop(self, reason: ExitReason) -> None:
        await asyncio.sleep(50)


async def test_a_service_that_stops_is_not_critical() -> None:
    """TL-04 Its models end before telemetry does: no alarm at each deploy."""
    events: list[Event] = []
    health = Health([models_check(), tree_check()])
    tree = supervisor(
        "root",
        child("health", lambda: HealthActor(health)),
        router("text", candidate("slow", lambda: SlowToStop("ready"), shutdown=60)),
    )
    async with System() as system:
        system.events.subscribe(events.append, HealthChanged)
        await system.spawn(tree.start, tree.id)
        await asyncio.sleep(30)
        began = system.clock.now()
    assert system.clock.now() - began >= 50
    assert events == []


# -- memory and disk


async def test_a_device_that_is_nearly_full_fails(system: System) -> None:
    """TL-04 Above 95 %; what isn't known is no failure."""
    await spawn_text(system, "ready", device_used_bytes=95 * GIB, device_total_bytes=100 * GIB)
    assert await found(system, gpu_memory_check()) == ""
    assert await found(system, gpu_memory_check(most=0.9)) == (
        "95% of the memory of root/text/primary's device is used"
    )


async def test_a_model_that_knows_no_device_is_no_failure(system: System) -> None:
    """TL-04 On the CPU there is none."""
    await spawn_text(system, "ready", device_used_bytes=0, device_total_bytes=0)
    assert await found(system, gpu_memory_check()) == ""


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.95, ""), (None, ""), (0.97, "97% of the memory is used, more than 95%")],
)
async def test_a_machine_that_is_nearly_full_fails(
    system: System, share: float | None, said: str
) -> None:
    """TL-04 By whatever sensor it is given."""
    assert await found(system, host_memory_check(share=lambda: share)) == said


async def test_the_machine_itself_is_asked_through_psutil(system: System) -> None:
    """TL-04 A machine with nothing free could not run this test."""
    assert await found(system, host_memory_check(most=0.9999)) == ""


def test_without_psutil_the_check_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """TL-04 When it is made, not when it runs; with a sensor it needs none."""
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(CheckUnavailable, match=r"pip install 'failsoft\[serve\]'"):
        host_memory_check()
    host_memory_check(share=lambda: 0.1)


async def test_a_disk_that_is_nearly_full_fails(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TL-04 Less than 10 % free; the disk of this machine is asked for real at first."""
    assert await found(system, disk_check(least_free=1e-9)) == ""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        "failsoft.telemetry.checks.disk.shutil.disk_usage", lambda _: usage(100 * GIB, 91, 9 * GIB)
    )
    assert await found(system, disk_check("/data")) == (
        "9.0% of the disk at /data is free (9.0 GiB), less than 10%"
    )


@pytest.mark.parametrize("make", [gpu_memory_check, host_memory_check])
def test_a_share_is_between_0_and_1(make: Callable[..., HealthCheck]) -> None:
    """SV-12 Percents would never be reached."""
    with pytest.raises(ValueError, match="share"):
        make(most=95)


# -- the loop, and the workers


class LateClock(LoopClock):
    """Be a clock on which timers come late, as with a loop that is blocked."""

    lateness = 0.0

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        return super().call_at(when + self.lateness, callback)


async def test_a_loop_that_is_late_fails() -> None:
    """TL-04 By how much; a little is no failure."""
    clock = LateClock()
    async with System(clock=clock) as system:
        assert await found(system, loop_lag_check()) == ""
        clock.lateness = 0.4
        assert await found(system, loop_lag_check()) == ""
        clock.lateness = 0.8
        assert await found(system, loop_lag_check()) == (
            "the event loop was 0.80 s late, more than 0.5 s"
        )


async def test_a_model_whose_worker_is_not_made_fails(system: System) -> None:
    """TL-04 The template process hangs; for a minute that may be its import of torch."""
    await spawn_text(system, "starting", pid=None)
    check = workers_check()
    assert await found(system, check) == ""
    await asyncio.sleep(59)
    assert await found(system, check) == ""
    await asyncio.sleep(2)
    assert await found(system, check) == (
        "root/text/primary has waited for its worker process for 61 s"
    )
    enter(system, "root/text/primary", "loading")
    assert await found(system, check) == ""
    enter(system, "root/text/primary", "starting")
    assert await found(system, check) == ""


class Slow(StandingModel):
    """Answer nothing, and make ``pace`` steps a second."""

    def __init__(self, pace: float) -> None:
        super().__init__("ready")
        self._pace = pace

    def inspect(self) -> dict[str, Any]:
        return {**super().inspect(), "steps": int(self.context.clock.now() * self._pace)}

    @handles(GenerateText, interleave=True)
    async def _slowly(self, _request: GenerateText) -> TextReply:
        await asyncio.sleep(1e6)
        raise AssertionError


async def test_a_canary_that_came_behind_other_work_is_no_failure(system: System) -> None:
    """TL-04 As long as the model gets on with that."""
    check = model_check("slow", timeout=5)
    slow = await system.spawn(lambda: Slow(pace=1), "slow")
    assert await found(system, check) == ""
    await system.stop(slow)
    await system.spawn(lambda: Slow(pace=0), "slow")
    with pytest.raises(InferenceTimeout):
        await found(system, check)


def test_the_default_checks_are_these() -> None:
    """TL-04 One canary for each model that is named."""
    checks = default_checks("root/text/primary", disk="/")
    assert [(check.name, check.critical) for check in checks] == [
        ("models", True),
        ("tree", False),
        ("workers", False),
        ("gpu memory", False),
        ("host memory", False),
        ("disk /", False),
        ("loop lag", False),
        ("model root/text/primary", False),
    ]
