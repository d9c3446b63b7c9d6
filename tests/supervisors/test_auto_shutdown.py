"""Significant children: their end of their own accord ends the supervisor."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import SHUTDOWN, Actor, System
from failsoft.messages.events import ChildRestarted, Event, SupervisorCompleted
from failsoft.supervisors import (
    NO_WAIT,
    AutoShutdown,
    ChildSpec,
    Restart,
    StartChild,
    Supervisor,
    TerminateChild,
    child,
    supervisor,
)

from .family import Fail, Family, Finish, quiet

pytestmark = pytest.mark.anyio


def significant(family: Family, id: str, restart: Restart = "transient") -> ChildSpec:
    return child(id, family.member, restart=restart, significant=True)


async def job(
    system: System, family: Family, how: AutoShutdown, *specs: ChildSpec, **options: object
) -> None:
    """Start a supervisor of ``specs`` that isn't restarted, and forget what was logged."""
    inner = supervisor("job", *specs, auto_shutdown=how, restart="transient", **options)  # type: ignore[arg-type]
    await system.spawn(family.supervisor([inner, family.spec("z")]), "root")
    family.take_log()


def is_up(system: System) -> bool:
    ref = system.find("root/job")
    return ref is not None and ref.is_alive


async def test_the_first_to_end_ends_the_supervisor(system: System, events: list[Event]) -> None:
    """SV-13 any_significant: the others are stopped in reverse order; it is no failure."""
    family = Family(system)
    specs = [family.spec("a"), significant(family, "b"), significant(family, "c")]
    await job(system, family, "any_significant", *specs)
    ended = system.ref("root/job").address
    family.tell("job/b", Finish())
    await quiet()
    assert family.take_log() == "-b -c -a"
    assert ended.reason == SHUTDOWN
    assert not is_up(system)
    (completed,) = [event for event in events if isinstance(event, SupervisorCompleted)]
    assert (completed.path, completed.child) == ("root/job", "b")
    assert system.ref("root/z").is_alive


async def test_the_last_to_end_ends_the_supervisor(system: System) -> None:
    """SV-13 all_significant: who isn't significant doesn't count."""
    family = Family(system)
    specs = [family.spec("a", "transient"), significant(family, "b"), significant(family, "c")]
    await job(system, family, "all_significant", *specs)
    family.tell("job/b", Finish())
    family.tell("job/a", Finish())
    await quiet()
    assert is_up(system)
    family.tell("job/c", Finish())
    await quiet()
    assert not is_up(system)


async def test_one_that_is_being_restarted_has_not_ended(system: System) -> None:
    """SV-13 all_significant: it may yet do its work."""
    family = Family(system)
    specs = [significant(family, "a"), significant(family, "b")]
    await job(system, family, "all_significant", *specs)
    family.starts_in["a"] = 5
    family.tell("job/a", Fail())
    await quiet()
    family.tell("job/b", Finish())
    await asyncio.sleep(10)
    assert is_up(system)
    family.tell("job/a", Finish())
    await quiet()
    assert not is_up(system)


@pytest.mark.parametrize(
    ("restart", "message", "ends"),
    [
        ("transient", Finish(), True),
        ("transient", Fail(), False),
        ("temporary", Finish(), True),
        ("temporary", Fail(), True),
    ],
)
async def test_what_counts_as_an_end(
    system: System, restart: Restart, message: Fail | Finish, ends: bool
) -> None:
    """SV-13 Not a failure that is restarted from."""
    family = Family(system)
    await job(system, family, "any_significant", significant(family, "a", restart))
    family.tell("job/a", message)
    await asyncio.sleep(10)
    assert is_up(system) is not ends


async def test_one_that_was_terminated_does_not_count(system: System) -> None:
    """SV-13 Nor does it keep the supervisor up, where all must have ended."""
    family = Family(system)
    specs = [significant(family, "a"), significant(family, "b"), significant(family, "c")]
    await job(system, family, "all_significant", *specs)
    job_ref = system.ref("root/job")
    await job_ref.ask(TerminateChild("a"))
    family.tell("job/b", Finish())
    await quiet()
    assert is_up(system)
    await job_ref.ask(TerminateChild("c"))
    assert is_up(system)


async def test_one_that_its_siblings_take_along_does_not_count(
    system: System, events: list[Event]
) -> None:
    """SV-13 one_for_all stops it; that isn't its own end."""
    family = Family(system)
    specs = [significant(family, "a"), family.spec("b")]
    await job(system, family, "any_significant", *specs, strategy="one_for_all", backoff=NO_WAIT)
    family.tell("job/b", Fail())
    await quiet()
    assert family.take_log() == "-b -a +a +b"
    assert ChildRestarted(path="root/job/a", at=0, restarts=1) in events
    assert is_up(system)


async def test_one_that_ends_while_others_start_is_heeded_after_that(system: System) -> None:
    """SV-13 The start is done first; nobody takes it for a failure."""
    family = Family(system)
    family.starts_in["b"] = 5
    specs = [significant(family, "a"), family.spec("b")]
    start = family.supervisor(specs, auto_shutdown="any_significant")
    spawning = asyncio.ensure_future(system.spawn(start, "root"))
    await asyncio.sleep(1)
    family.tell("a", Finish())
    root = await spawning
    await quiet()
    assert not root.is_alive
    assert family.take_log() == "+a +b -a -b"


async def test_a_permanent_supervisor_that_has_completed_is_started_again(system: System) -> None:
    """SV-13 As for any child, its own restart says what follows."""
    family = Family(system)
    inner = supervisor("job", significant(family, "a"), auto_shutdown="any_significant")
    await system.spawn(family.supervisor([inner]), "root")
    family.tell("job/a", Finish())
    await quiet()
    assert family.take_log() == "+a -a +a"


def test_contradictions_are_told_where_they_are_made() -> None:
    """SV-13 By name, and with what to do."""
    with pytest.raises(ValueError, match=r"'a' can't be significant and permanent.*transient"):
        child("a", Actor, significant=True)
    spec = child("a", Actor, restart="transient", significant=True)
    for make in (lambda: supervisor("s", spec), lambda: Supervisor([spec])):
        with pytest.raises(ValueError, match=r"'a' is significant.*auto_shutdown="):
            make()
    with pytest.raises(ValueError, match="auto_shutdown must be one of"):
        supervisor("s", auto_shutdown="sometimes")  # type: ignore[arg-type]


async def test_a_significant_child_is_refused_by_who_does_not_heed_it(system: System) -> None:
    """SV-13 Also when it is added later."""
    family = Family(system)
    root = await system.spawn(family.supervisor("a"), "root")
    with pytest.raises(ValueError, match="'b' is significant"):
        await root.ask(StartChild(significant(family, "b")))
    assert family.take_log() == "+a"
    assert root.is_alive
