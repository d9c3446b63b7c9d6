"""The load actor: the level that follows from the sensors, and who is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from failsoft.actors import Actor, Ref, StartFailed, System, handles
from failsoft.messages import InvalidInput, Message
from failsoft.messages.events import DegradationChanged, DeviceMemoryReported, Event, WorkerEnded
from failsoft.supervisors import NO_WAIT, child, supervisor
from failsoft.supervisors.routing.degradation import Degradation, Level
from failsoft.supervisors.routing.load import ForceDegradation, GetLoad, LoadActor, LoadGauge

from .family import Fail, Family, quiet

pytestmark = pytest.mark.anyio


class Dial:
    """Be a sensor that says what it is set to; an error is raised."""

    def __init__(self, says: float | Exception | None = 0.2) -> None:
        self.says = says
        self.reads = 0

    def __call__(self) -> float | None:
        self.reads += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Burn(Message, frozen=True):
    """Fail."""


class FailingLoad(LoadActor):
    """Be a load actor that can be made to fail."""

    @handles(Burn)
    def burn(self, _message: Burn) -> None:
        raise RuntimeError("told to")


async def started(system: System, start: Callable[[], Actor]) -> Ref:
    """Start it as a user's tree has it: a child that is restarted."""
    await system.spawn(supervisor("root", child("load", start), backoff=NO_WAIT).start, "root")
    return system.ref("root/load")


def gauge(system: System) -> LoadGauge:
    return system.extension(LoadGauge)


def changes(events: list[Event]) -> list[tuple[str, str, float, bool]]:
    return [
        (event.before, event.after, event.load, event.forced)
        for event in events
        if isinstance(event, DegradationChanged)
    ]


async def test_without_a_load_actor_the_level_is_full(system: System) -> None:
    """DG-01 And the load not known."""
    assert (gauge(system).level, gauge(system).load) == (Level.FULL, None)
    assert repr(gauge(system)) == "<LoadGauge full, load unknown>"


async def test_the_highest_sensor_counts(system: System, events: list[Event]) -> None:
    """DG-01 Each second; who asks the gauge sees it at once."""
    cpu, memory = Dial(), Dial()
    load = await started(system, lambda: LoadActor(sensors={"cpu": cpu, "memory": memory}))
    assert (gauge(system).level, gauge(system).load) == (Level.FULL, 0.2)
    memory.says = 0.95
    await asyncio.sleep(0.9)
    assert gauge(system).level is Level.FULL
    await asyncio.sleep(0.2)
    assert (gauge(system).level, gauge(system).load) == (Level.MINIMAL, 0.95)
    cpu.says, memory.says = 0.8, 0.1
    await asyncio.sleep(1.01)
    assert gauge(system).level is Level.REDUCED
    assert changes(events) == [("full", "minimal", 0.95, False), ("minimal", "reduced", 0.8, False)]
    assert {event.path for event in events if isinstance(event, DegradationChanged)} == {load.path}
    told = await load.ask(GetLoad())
    assert (told.level, told.is_forced, told.load) == ("reduced", False, 0.8)
    assert told.shares == {"cpu": 0.8, "memory": 0.1, "gpu": None}


async def test_it_reads_at_its_period(system: System) -> None:
    """DG-01 Once at the start, then each period, and no more once it is stopped."""
    dial = Dial()
    load = await system.spawn(lambda: LoadActor(sensors={"cpu": dial}, period=0.25), "load")
    assert dial.reads == 1
    await asyncio.sleep(1.1)
    assert dial.reads == 5
    await system.stop(load)
    await asyncio.sleep(1.01)
    assert dial.reads == 5


async def test_the_limits_are_those_given(system: System) -> None:
    """DG-01 By the user's own degradation."""
    given = Degradation(reduced_above=0.1, minimal_above=0.3)
    await started(system, lambda: LoadActor(given, sensors={"cpu": Dial(0.2)}))
    assert gauge(system).level is Level.REDUCED


async def test_no_sensor_that_knows_is_half(system: System, events: list[Event]) -> None:
    """DG-01 A load that was high and isn't known any more is full again."""
    dial = Dial(0.95)
    await started(system, lambda: LoadActor(sensors={"cpu": dial}))
    assert gauge(system).level is Level.MINIMAL
    dial.says = None
    await asyncio.sleep(1.01)
    assert (gauge(system).level, gauge(system).load) == (Level.FULL, None)
    assert changes(events)[-1] == ("minimal", "full", 0.5, False)


@pytest.mark.parametrize(
    ("error", "reads"),
    [(OSError("no such file"), 6), (ModuleNotFoundError("No module named 'psutil'"), 1)],
)
async def test_a_sensor_that_raises_knows_nothing(
    system: System, error: Exception, reads: int
) -> None:
    """DG-01 That is logged once, and the others count; what isn't installed isn't tried again."""
    broken = Dial(error)
    with capture_logs() as logs:
        load = await started(system, lambda: LoadActor(sensors={"x": broken, "cpu": Dial(0.8)}))
        await asyncio.sleep(5.1)
    assert broken.reads == reads
    assert (gauge(system).level, load.is_alive) == (Level.REDUCED, True)
    (line,) = logs
    assert (line["event"], line["sensor"]) == ("sensor.failed", "x")
    assert str(error) in line["reason"]
    broken.says = 0.95
    await asyncio.sleep(1.01)
    assert (gauge(system).level is Level.MINIMAL) is (reads > 1)


@pytest.mark.parametrize(("says", "load"), [(7.0, 1.0), (-1.0, 0.0), (float("nan"), None)])
async def test_a_sensor_that_says_what_cannot_be(
    system: System, says: float, load: float | None
) -> None:
    """DG-01 It is kept within 0 and 1; what is no number isn't known."""
    await started(system, lambda: LoadActor(sensors={"cpu": Dial(says)}))
    assert gauge(system).load == load


# -- device memory


def tell_memory(system: System, used: int, path: str = "root/model", total: int = 100) -> None:
    system.events.publish(DeviceMemoryReported, path, used_bytes=used, total_bytes=total)


async def test_the_fullest_device_counts(system: System) -> None:
    """DG-01 For ten seconds after it was told."""
    await started(system, lambda: LoadActor(sensors={}))
    tell_memory(system, 80)
    tell_memory(system, 95, "root/other")
    tell_memory(system, 5, "root/cpu", total=0)  # a device that tells no total
    await asyncio.sleep(1.01)
    assert (gauge(system).level, gauge(system).load) == (Level.MINIMAL, 0.95)
    await asyncio.sleep(5.01)
    tell_memory(system, 75)
    await asyncio.sleep(5.01)
    assert (gauge(system).level, gauge(system).load) == (Level.REDUCED, 0.75)
    await asyncio.sleep(10)
    assert (gauge(system).level, gauge(system).load) == (Level.FULL, None)


async def test_more_memory_in_use_than_there_is_counts_as_all(system: System) -> None:
    """DG-01 Two numbers that were read one after the other may say so."""
    await started(system, lambda: LoadActor(sensors={}))
    tell_memory(system, 101)
    await asyncio.sleep(1.01)
    assert gauge(system).load == 1.0


async def test_the_memory_of_a_lost_worker_is_free(system: System) -> None:
    """DG-01 It came back with the process."""
    await started(system, lambda: LoadActor(sensors={}))
    tell_memory(system, 95)
    tell_memory(system, 75, "root/other")
    system.events.publish(WorkerEnded, "root/model", pid=1, reason="killed", asked=False)
    await asyncio.sleep(1.01)
    assert gauge(system).load == 0.75


@pytest.mark.parametrize("fails", [True, False])
async def test_the_memory_of_an_actor_that_ended_is_free(system: System, fails: bool) -> None:
    """DG-01 Whether it failed, or was stopped."""
    await started(system, lambda: LoadActor(sensors={}))
    family = Family(system)
    models = await system.spawn(family.supervisor("a"), "models")
    tell_memory(system, 95, "models/a")
    await asyncio.sleep(1.01)
    assert gauge(system).level is Level.MINIMAL
    if fails:
        system.ref("models/a").tell(Fail())
    else:
        await system.stop(models)
    await asyncio.sleep(1.01)
    assert gauge(system).level is Level.FULL


# -- an operator


async def test_an_operator_holds_the_level(system: System, events: list[Event]) -> None:
    """DG-01 At once, until told otherwise; then the load counts as it is by then."""
    dial = Dial()
    load = await started(system, lambda: LoadActor(sensors={"cpu": dial}))
    await load.ask(ForceDegradation("minimal"))
    assert gauge(system).level is Level.MINIMAL
    dial.says = 0.8
    await asyncio.sleep(2.01)
    assert (gauge(system).level, gauge(system).load) == (Level.MINIMAL, 0.8)
    told = await load.ask(GetLoad())
    assert (told.level, told.is_forced) == ("minimal", True)
    await load.ask(ForceDegradation(None))
    assert gauge(system).level is Level.REDUCED
    assert changes(events) == [("full", "minimal", 0.2, True), ("minimal", "reduced", 0.8, False)]


async def test_to_hold_the_level_where_it_is_is_told_too(
    system: System, events: list[Event]
) -> None:
    """DG-01 It is another state, though the level is the same; to say it twice is not."""
    load = await started(system, lambda: LoadActor(sensors={"cpu": Dial()}))
    for _ in range(2):
        await load.ask(ForceDegradation("full"))
    await load.ask(ForceDegradation(None))
    assert changes(events) == [("full", "full", 0.2, True), ("full", "full", 0.2, False)]


async def test_a_level_that_is_none_is_refused(system: System) -> None:
    """DG-01 In words; the actor has not failed."""
    load = await started(system, lambda: LoadActor(sensors={"cpu": Dial()}))
    with pytest.raises(InvalidInput, match="must be one of full, reduced, minimal"):
        await load.ask(ForceDegradation("Minimal"))
    await quiet()
    assert load.is_alive
    assert gauge(system).level is Level.FULL


# -- its life


async def test_the_level_is_full_again_after_a_stop(system: System, events: list[Event]) -> None:
    """DG-01 Nobody knows better, and nobody would take it back."""
    listeners = system.events.subscribers
    load = await system.spawn(lambda: LoadActor(sensors={"cpu": Dial(0.95)}), "load")
    await load.ask(ForceDegradation("reduced"))
    await system.stop(load)
    assert system.events.subscribers == listeners
    assert (gauge(system).level, gauge(system).load) == (Level.FULL, None)
    assert changes(events)[-1] == ("reduced", "full", 0.5, False)


async def test_a_restart_begins_anew(system: System, events: list[Event]) -> None:
    """DG-01 Without what an operator had said; from the sensors alone."""
    dial = Dial(0.75)
    load = await started(system, lambda: FailingLoad(sensors={"cpu": dial}))
    await load.ask(ForceDegradation("minimal"))
    load.tell(Burn())
    await asyncio.sleep(0.5)
    assert gauge(system).level is Level.REDUCED
    assert changes(events)[-2:] == [
        ("minimal", "full", 0.5, False),
        ("full", "reduced", 0.75, False),
    ]
    dial.says = 0.95
    await asyncio.sleep(1.01)
    assert gauge(system).level is Level.MINIMAL


async def test_the_tree_shows_the_level(system: System) -> None:
    """DG-01 And the load that it follows from."""
    await started(system, lambda: LoadActor(sensors={"cpu": Dial(0.75)}))
    (root,) = system.tree()
    (shown,) = [node.shows for node in root.walk() if node.path == "root/load"]
    assert shown == {"degradation_level": "reduced", "degradation_is_forced": False, "load": 0.75}


async def test_a_system_has_one_load_actor(system: System) -> None:
    """DG-01 A second one fails to start, and leaves the level to the first."""
    await started(system, lambda: LoadActor(sensors={"cpu": Dial(0.75)}))
    with pytest.raises(StartFailed, match="read at root/load already"):
        await system.spawn(lambda: LoadActor(sensors={"cpu": Dial(0.1)}), "second")
    assert gauge(system).level is Level.REDUCED
    await asyncio.sleep(1.01)
    assert gauge(system).load == 0.75


async def test_what_is_out_of_range_is_refused() -> None:
    """DG-01 With what is asked for."""
    with pytest.raises(ValueError, match="period must be over 0 s"):
        LoadActor(period=0)
    with pytest.raises(ValueError, match="gpu is there already"):
        LoadActor(sensors={"gpu": Dial()})
