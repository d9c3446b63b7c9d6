"""Backoff: the waits before restarts."""

from __future__ import annotations

import asyncio
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.actors import System
from failsoft.messages.events import ChildRestarted, Event, RestartScheduled
from failsoft.supervisors import Backoff, ChildSpec, Supervisor

from .family import PLENTY, Fail, Family, quiet

FIXED = Backoff(jitter=False)


def scheduled(events: list[Event]) -> list[RestartScheduled]:
    return [event for event in events if isinstance(event, RestartScheduled)]


@pytest.mark.anyio
async def test_each_wait_is_longer_up_to_the_cap(system: System, events: list[Event]) -> None:
    """SV-15 1, 2, 4 … 60 s; and the child is down for exactly so long."""
    family = Family(system)
    await system.spawn(family.supervisor("a", backoff=FIXED), "root")
    for _ in range(8):
        family.tell("a", Fail())
        await quiet()
        await asyncio.sleep(scheduled(events)[-1].delay)
    assert [event.delay for event in scheduled(events)] == [1, 2, 4, 8, 16, 32, 60, 60]
    back = [event.at for event in events if isinstance(event, ChildRestarted)]
    due = [event.at + event.delay for event in scheduled(events)]
    assert back == pytest.approx(due)
    assert [event.attempt for event in scheduled(events)] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.anyio
async def test_the_first_restart_comes_at_once(system: System, events: list[Event]) -> None:
    """SV-15 Where nothing else is said; each later one waits, and after health it is so again."""
    family = Family(system)
    await system.spawn(lambda: Supervisor([family.spec("a")]), "root")
    for healthy in (0, 0, 0, 60):
        await asyncio.sleep(healthy)
        family.tell("a", Fail())
        await quiet()
        await asyncio.sleep(scheduled(events)[-1].delay)
    assert [event.delay > 0 for event in scheduled(events)] == [False, True, True, False]


@pytest.mark.anyio
async def test_a_healthy_while_starts_the_count_again(system: System, events: list[Event]) -> None:
    """SV-15 Twice the last wait at least, and ten seconds."""
    family = Family(system)
    await system.spawn(family.supervisor("a", backoff=FIXED), "root")
    for healthy in (0, 0, 9.9, 16.1, 0):
        await asyncio.sleep(healthy)
        family.tell("a", Fail())
        await quiet()
        await asyncio.sleep(scheduled(events)[-1].delay)
    assert [event.attempt for event in scheduled(events)] == [1, 2, 3, 1, 2]


@pytest.mark.anyio
async def test_a_child_may_have_a_backoff_of_its_own(system: System, events: list[Event]) -> None:
    """SV-15 It counts instead of its supervisor's."""
    family = Family(system)
    own = ChildSpec(id="a", start=family.member, backoff=Backoff(base=7, jitter=False))
    await system.spawn(family.supervisor([own, family.spec("b")], backoff=FIXED), "root")
    for name in "ab":
        family.tell(name, Fail())
    await quiet()
    assert sorted(event.delay for event in scheduled(events)) == [1, 7]


@pytest.mark.anyio
async def test_a_child_that_fails_to_come_back_is_tried_again(
    system: System, events: list[Event]
) -> None:
    """SV-09 Each try counts, and has its wait: it never spins."""
    family = Family(system)
    await system.spawn(family.supervisor("a", backoff=FIXED, intensity=PLENTY), "root")
    family.failing_starts = {"a": 4}
    family.tell("a", Fail())
    await asyncio.sleep(100)
    assert [event.delay for event in scheduled(events)] == [1, 2, 4, 8, 16]
    assert await family.count("a") == 1
    restarted = [event for event in events if isinstance(event, ChildRestarted)]
    assert [event.restarts for event in restarted] == [5]


@pytest.mark.anyio
async def test_a_failure_during_a_wait_makes_one_restart_of_two(system: System) -> None:
    """SV-16 In order, and nobody is started twice; no wait is cut short."""
    family = Family(system)
    await system.spawn(family.supervisor("abc", "rest_for_one", backoff=FIXED), "root")
    family.take_log()
    family.tell("c", Fail())
    await asyncio.sleep(0.5)
    family.tell("b", Fail())
    await asyncio.sleep(0.99)
    assert family.take_log() == "-c -b"
    await asyncio.sleep(100)
    assert family.take_log() == "+b +c"
    assert [await family.count(name) for name in "abc"] == [1, 1, 1]


backoffs = st.builds(
    Backoff,
    base=st.floats(0, 1e6),
    factor=st.floats(1, 1e6),
    cap=st.floats(0, 1e9),
    jitter=st.booleans(),
    immediate=st.integers(0, 3),
)


@given(backoffs, st.integers(1, 10_000), st.randoms(use_true_random=False))
def test_a_wait_lies_between_nothing_and_its_longest(
    backoff: Backoff, attempt: int, random: Random
) -> None:
    """SV-15 At most base·factorⁿ⁻¹, capped, never less than the one before, however late.

    What comes at once has no wait, and counts as none.
    """
    longest = backoff.longest(attempt)
    assert 0 <= backoff.delay(attempt, random) <= longest <= backoff.cap
    assert longest <= backoff.longest(attempt + 1)
    if attempt <= backoff.immediate:
        assert longest == 0
    elif attempt == backoff.immediate + 1:
        assert longest == min(backoff.base, backoff.cap)
    if not backoff.jitter:
        assert backoff.delay(attempt, random) == longest


def test_the_jitter_is_full() -> None:
    """SV-15 Evenly from 0 to the longest, also at the cap."""
    random = Random(3)
    for attempt, longest in ((1, 1.0), (3, 4.0), (50, 60.0)):
        waits = [Backoff().delay(attempt, random) for _ in range(2000)]
        assert sum(waits) / len(waits) == pytest.approx(longest / 2, rel=0.1)
        assert min(waits) < longest * 0.01
        assert max(waits) > longest * 0.99


@pytest.mark.parametrize(
    "wrong",
    [
        {"base": -1},
        {"factor": 0.5},
        {"cap": -1},
        {"base": math.nan},
        {"factor": math.inf},
        {"cap": math.inf},
    ],
)
def test_a_backoff_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    """SV-15 With what is asked for."""
    with pytest.raises(ValueError, match="factor >= 1"):
        Backoff(**wrong)  # type: ignore[arg-type]


def test_fewer_than_no_waits_are_refused() -> None:
    with pytest.raises(ValueError, match="immediate must be at least 0; it is -1"):
        Backoff(immediate=-1)
