"""Restart intensity: how many failures are too many, and what follows."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.actors import System, TreeFailed
from failsoft.messages.events import ChildCooledDown, ChildRestarted, Event, SupervisorEscalated
from failsoft.supervisors import NO_WAIT, Backoff, Intensity, IntensityExceeded, supervisor
from failsoft.supervisors.intensity import RestartWindow

from .family import Fail, Family, quiet


async def fail(family: Family, name: str, times: int) -> None:
    for _ in range(times):
        family.tell(name, Fail())
        await quiet()


async def fail_tree(*pauses: float, intensity: Intensity) -> list[str]:
    """Fail three times after each pause, then once more; give the log of the tree's end."""
    families: list[Family] = []

    async def run() -> None:
        async with System() as system:
            family = Family(system)
            families.append(family)
            await system.spawn(family.supervisor("abc", intensity=intensity), "root")
            for pause in pauses:
                await asyncio.sleep(pause)
                await fail(family, "b", 3)
            assert system.ref("root").is_alive
            family.take_log()
            await fail(family, "b", 1)
            await asyncio.sleep(100)

    with pytest.raises(TreeFailed, match="shutdown/intensity") as failure:
        await run()
    assert isinstance(failure.value.__cause__, IntensityExceeded)
    return families[0].log


@pytest.mark.anyio
async def test_the_fourth_failure_in_five_seconds_is_one_too_many(
    clean_loop: None, plain_logs: None
) -> None:
    """SV-05 The other children are stopped in reverse order."""
    assert await fail_tree(0, intensity=Intensity()) == ["-b", "-c", "-a"]


@pytest.mark.anyio
async def test_failures_are_forgotten_after_the_window(clean_loop: None, plain_logs: None) -> None:
    """SV-05 Three, a pause, three, a pause, three: it lives; one more at once: it doesn't."""
    assert await fail_tree(0, 5.1, 5.1, intensity=Intensity()) == ["-b", "-c", "-a"]


@pytest.mark.anyio
async def test_with_no_restarts_allowed_the_first_failure_escalates(
    clean_loop: None, plain_logs: None
) -> None:
    """SV-07 At once."""
    assert await fail_tree(intensity=Intensity(max_restarts=0)) == ["-b", "-c", "-a"]


@pytest.mark.anyio
async def test_escalation_counts_once_with_the_parent(system: System, events: list[Event]) -> None:
    """SV-06 The parent restarts the supervisor, whose own count begins anew."""
    family = Family(system)
    inner = supervisor("inner", family.spec("x"), backoff=NO_WAIT)
    parent = family.supervisor([inner, family.spec("b")], intensity=Intensity(3, 5))
    await system.spawn(parent, "root")
    for _ in range(3):
        await fail(family, "inner/x", 4)
        assert system.ref("root").is_alive
    escalated = [event for event in events if isinstance(event, SupervisorEscalated)]
    assert [(event.path, event.child) for event in escalated] == [("root/inner", "x")] * 3
    restarted = [event.path for event in events if isinstance(event, ChildRestarted)]
    assert restarted.count("root/inner") == 3
    assert restarted.count("root/inner/x") == 9
    assert await family.count("b") == 1
    assert family.log.count("+b") == 1


@pytest.mark.anyio
async def test_a_child_left_alone_for_failing_too_often_comes_back(
    system: System, events: list[Event]
) -> None:
    """SV-05 With cool_down, nobody escalates; the waits grow, up to ten minutes."""
    family = Family(system)
    spawned = family.supervisor("ab", intensity=Intensity(1, 5), cool_down=60.0)
    await system.spawn(spawned, "root")
    await fail(family, "a", 2)
    for seconds in (60, 120, 240, 480, 600, 600):
        cooled = [event for event in events if isinstance(event, ChildCooledDown)]
        assert cooled[-1].seconds == seconds
        await asyncio.sleep(seconds - 1)
        node = family.node("root/a")
        assert node is not None
        assert node.state == "down"
        await asyncio.sleep(2)
        await fail(family, "a", 1)
    assert await family.count("b") == 1
    assert family.log.count("+b") == 1


@pytest.mark.anyio
async def test_a_siblings_failures_do_not_cool_a_child_down(
    system: System, events: list[Event]
) -> None:
    """SV-05 Each has a window of its own then."""
    family = Family(system)
    spawned = family.supervisor("ab", intensity=Intensity(1, 5), cool_down=60.0)
    await system.spawn(spawned, "root")
    await fail(family, "a", 1)
    await fail(family, "b", 1)
    assert not any(isinstance(event, ChildCooledDown) for event in events)


@pytest.mark.anyio
async def test_a_child_that_stays_well_is_no_longer_the_one_that_was_left_alone(
    system: System, events: list[Event]
) -> None:
    """SV-15 Its next wait is the first one's again."""
    family = Family(system)
    spawned = family.supervisor(
        "a", intensity=Intensity(1, 5), cool_down=60.0, backoff=Backoff(0, reset_after=30)
    )
    await system.spawn(spawned, "root")
    for _ in range(2):
        await fail(family, "a", 2)
        await asyncio.sleep(100)
    cooled = [event.seconds for event in events if isinstance(event, ChildCooledDown)]
    assert cooled == [60, 60]


def test_an_intensity_out_of_range_is_refused() -> None:
    """SV-07 With what is asked for."""
    with pytest.raises(ValueError, match="max_restarts >= 0"):
        Intensity(max_restarts=-1)
    with pytest.raises(ValueError, match="within > 0"):
        Intensity(within=0)
    with pytest.raises(ValueError, match="within > 0"):
        Intensity(within=float("nan"))


@given(
    most=st.integers(0, 5),
    within=st.floats(0.1, 10),
    gaps=st.lists(st.floats(0, 5), max_size=30),
)
def test_the_window_counts_as_a_plain_list_would(
    most: int, within: float, gaps: list[float]
) -> None:
    """SV-05 Too many means: more than the bound among the last seconds, this one included."""
    window = RestartWindow(Intensity(most, within))
    times: list[float] = []
    now = 0.0
    for gap in gaps:
        now += gap
        times.append(now)
        recent = sum(now - time <= within for time in times)
        assert window.add(now) is (recent > most)
        assert window.count(now) == min(recent, most + 1)
