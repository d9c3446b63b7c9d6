"""Liveness, readiness and start-up: three answers about one tree."""

from __future__ import annotations

import asyncio
import functools

import pytest

from failsoft.actors import System
from failsoft.supervisors import (
    ChildSpec,
    ForceBreaker,
    Router,
    StartChild,
    candidate,
    child,
    router,
    supervisor,
)
from failsoft.telemetry import GetHealth, Health, HealthActor, HealthReport

from .standing_models import StandingModel, enter, standing

pytestmark = pytest.mark.anyio


async def start(system: System, *children: ChildSpec) -> None:
    health = Health([])
    tree = supervisor("root", child("health", lambda: HealthActor(health)), *children)
    await system.spawn(tree.start, tree.id)
    await asyncio.sleep(0.1)


async def ask(system: System) -> HealthReport:
    await asyncio.sleep(0.1)
    return await system.ref("root/health").ask(GetHealth())


def answers(report: HealthReport) -> tuple[bool, bool, bool]:
    return report.live.ok, report.ready.ok, report.started.ok


async def test_a_model_that_loads_is_alive_but_neither_ready_nor_started(system: System) -> None:
    """TL-04 Whoever asks for liveness mustn't kill it for that."""
    await start(system, router("text", standing("primary"), standing("understudy")))
    told = await ask(system)
    assert answers(told) == (True, False, False)
    assert told.ready.reasons == (
        "root/text has no model to ask: primary is loading, understudy is loading",
    )
    assert told.started.reasons[0] == "root/text/primary is loading for the first time"
    assert told.models == {"root/text/primary": "loading", "root/text/understudy": "loading"}


async def test_one_ready_model_of_each_router_is_enough_to_be_ready(system: System) -> None:
    """TL-04 But not for the start to be over: it is when each has been ready, or has failed."""
    await start(
        system,
        router("text", standing("primary"), standing("understudy", "ready")),
        router("image", standing("diffusion")),
    )
    assert answers(await ask(system)) == (True, False, False)
    enter(system, "root/image/diffusion", "ready")
    assert answers(await ask(system)) == (True, True, False)
    enter(system, "root/text/primary", "busy")
    assert answers(await ask(system)) == (True, True, True)


async def test_a_first_load_that_failed_is_over(system: System) -> None:
    """TL-04 Nobody needs to start the service anew: the supervisor tries again."""
    await start(system, router("text", standing("primary"), standing("understudy", "ready")))
    enter(system, "root/text/primary", "failed")
    told = await ask(system)
    assert answers(told) == (True, True, True)
    assert told.models["root/text/primary"] == "down"


async def test_started_stays_so(system: System) -> None:
    """TL-04 Through the loss of every model, and the first load of a new one."""
    await start(system, router("text", standing("primary", "ready")))
    assert answers(await ask(system)) == (True, True, True)
    enter(system, "root/text/primary", "failed")
    told = await ask(system)
    assert answers(told) == (True, False, True)
    assert told.ready.reasons == ("root/text has no model to ask: primary is down",)
    await system.ref("root/text").ask(StartChild(standing("late")))
    assert answers(await ask(system)) == (True, False, True)


async def test_a_start_that_nobody_asked_about_is_seen_too(system: System) -> None:
    """TL-04 As each check looks: a model that is added later doesn't undo it."""
    checks = Health()
    tree = supervisor(
        "root",
        child("health", lambda: HealthActor(checks)),
        router("text", standing("primary", "ready")),
    )
    await system.spawn(tree.start, tree.id)
    await asyncio.sleep(20)
    assert checks.has_started


async def test_a_router_below_a_router_need_not_be_ready(system: System) -> None:
    """TL-04 The one that requests go to is."""
    inner = candidate("local", functools.partial(Router, [standing("a"), standing("b")]))
    await start(system, router("text", inner, standing("remote", "ready")))
    assert (await ask(system)).ready.ok


async def test_models_without_a_router_stand_in_for_their_siblings(system: System) -> None:
    """TL-04 One of those under a supervisor must be ready."""
    await start(system, supervisor("pool", child("a", StandingModel), child("b", StandingModel)))
    assert (await ask(system)).ready.reasons == (
        "root/pool has no model to ask: a is loading, b is loading",
    )
    enter(system, "root/pool/b", "ready")
    assert (await ask(system)).ready.ok


async def test_a_ready_model_behind_an_open_circuit_takes_no_requests(system: System) -> None:
    """TL-04 CB-01 Readiness is about requests, not about loads."""

    await start(system, router("text", standing("primary", "ready")))
    assert (await ask(system)).ready.ok
    await system.ref("root/text").ask(ForceBreaker("primary", "open"))
    assert (await ask(system)).ready.reasons == (
        "root/text has no model to ask: primary is refused by its open circuit",
    )


async def test_a_tree_without_models_is_ready_once_it_is_up(system: System) -> None:
    """TL-04 There is nothing to wait for."""
    await start(system)
    assert answers(await ask(system)) == (True, True, True)
