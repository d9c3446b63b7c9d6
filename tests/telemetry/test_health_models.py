"""The model check, with real worker processes that do as a script says."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest

from failsoft.actors import ModelActor, System
from failsoft.messages import GenerateText, GenerationFailed, InferenceTimeout, WorkerLost
from failsoft.messages.events import DeviceMemoryReported, ModelStateChanged
from failsoft.supervisors import NO_WAIT, child, supervisor
from failsoft.telemetry import Unhealthy
from failsoft.telemetry.checks import gpu_memory_check, model_check
from failsoft.testing import (
    Die,
    EventRecorder,
    Gate,
    Raise,
    Say,
    Script,
    Stall,
    When,
    scripted,
)

pytestmark = pytest.mark.anyio

PATH = "root/model"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Run in real time: real processes are waited for."""
    return "asyncio", {}


async def serve(system: System, *, until: str = "ready", **script: Any) -> EventRecorder:
    """Start a supervised model with a worker that does as the script says."""
    events = EventRecorder(system)
    start = functools.partial(ModelActor, scripted(Script(**script)))
    tree = supervisor("root", child("model", start, shutdown=5.0), backoff=NO_WAIT)
    await system.spawn(tree.start, "root")
    await events.wait_until(lambda: states(events)[-1:] == [until])
    return events


def states(events: EventRecorder) -> list[str]:
    return [change.after for change in events.of(ModelStateChanged, path=PATH)]


async def test_an_idle_model_is_asked_for_one_token(system: System) -> None:
    """TL-04 And nobody but it is asked."""
    events = await serve(system, otherwise=[Say("all is well")])
    await model_check(PATH).run(system)
    await events.wait_until(lambda: states(events)[-2:] == ["busy", "ready"])
    assert system.tree()[0].children[0].shows["tokens"] == 1


async def test_a_model_that_cannot_answer_fails(system: System) -> None:
    """TL-04 With its own error."""
    await serve(system, otherwise=[Raise("generation_failed")])
    with pytest.raises(GenerationFailed):
        await model_check(PATH).run(system)


async def test_a_model_whose_worker_dies_of_it_fails(system: System) -> None:
    """TL-04 WK-01 The supervisor heals it."""
    await serve(system, otherwise=[Die()])
    with pytest.raises(WorkerLost):
        await model_check(PATH).run(system)


async def test_a_model_that_answers_nothing_fails_in_time(system: System) -> None:
    """TL-04 It made no step either."""
    await serve(system, otherwise=[Stall()])
    with pytest.raises(InferenceTimeout):
        await model_check(PATH, timeout=0.2).run(system)


async def test_a_model_that_loads_is_not_asked(system: System, tmp_path: Path) -> None:
    """TL-04 It isn't ready, and that is all."""
    with Gate(tmp_path / "gate") as gate:
        events = await serve(system, until="loading", load=[gate.wait])
        await model_check(PATH).run(system)
        assert states(events) == ["loading"]
        gate.open()
        await events.wait_until(lambda: states(events)[-1:] == ["ready"])


async def test_a_busy_model_is_not_asked(system: System, tmp_path: Path) -> None:
    """TL-04 Whether it gets on is watched elsewhere."""
    with Gate(tmp_path / "gate") as gate:
        events = await serve(system, rules=[When("wait", [gate.wait, Say("done")])])
        asked = asyncio.ensure_future(system.ref(PATH).ask(GenerateText("wait"), timeout=60))
        await events.wait_until(lambda: states(events)[-1:] == ["busy"])
        await model_check(PATH, timeout=0.1).run(system)
        assert system.tree()[0].children[0].shows["running"] == 1
        gate.open()
        assert (await asked).text == "done"


async def test_a_full_device_is_known_from_what_its_worker_tells(system: System) -> None:
    """TL-04 By its heartbeats."""
    events = await serve(system, device_memory=(90, 97, 100))
    await events.wait_for(DeviceMemoryReported)
    with pytest.raises(Unhealthy, match="97% of the memory of root/model's device is used"):
        await gpu_memory_check().run(system)


async def test_a_path_that_leads_to_no_actor_fails(system: System) -> None:
    """SV-12 A misspelt path isn't well for ever."""
    with pytest.raises(Unhealthy, match="no actor at root/modle"):
        await model_check("root/modle").run(system)
