"""Managing children while the supervisor runs: OTP's requests, and OTP's refusals."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import Ref, StartFailed, System
from failsoft.messages import InferenceTimeout
from failsoft.messages.events import ChildForgotten, ChildRestarted, Event, RestartScheduled
from failsoft.supervisors import (
    Backoff,
    ChildAlreadyPresent,
    ChildAlreadyStarted,
    ChildCounts,
    ChildInfo,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
    CountChildren,
    DeleteChild,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
    supervisor,
)

from .family import Count, Fail, Family, Finish, phases, quiet

pytestmark = pytest.mark.anyio

TEN = Backoff(10, jitter=False)


def names(system: System) -> list[str]:
    return [node.name for node in system.tree()[0].children]


async def test_a_child_is_started_after_those_that_are_there(system: System) -> None:
    """SV-11 start_child: the answer is its ref, once it is up; it is stopped first."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab"), "root")
    family.starts_in["c"] = 2
    ref = await root.ask(StartChild(family.spec("c")))
    assert system.clock.now() == 2
    assert ref.path == "root/c"
    assert await ref.ask(Count()) == 1
    family.tell("c", Fail())
    await asyncio.sleep(3)
    await system.stop(root)
    assert family.take_log() == "+a +b +c -c +c -c -b -a"


async def test_an_id_that_is_in_use_is_refused(system: System) -> None:
    """SV-11 start_child: already started, being restarted too; already present."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", backoff=TEN), "root")
    with pytest.raises(ChildAlreadyStarted, match="root/a is started already"):
        await root.ask(StartChild(family.spec("a")))
    family.tell("a", Fail())
    await quiet()
    with pytest.raises(ChildAlreadyStarted):
        await root.ask(StartChild(family.spec("a")))
    await root.ask(TerminateChild("b"))
    with pytest.raises(ChildAlreadyPresent, match="RestartChild, or DeleteChild"):
        await root.ask(StartChild(family.spec("b")))
    family.starts_in["c"] = 1
    first, second = await asyncio.gather(
        root.ask(StartChild(family.spec("c"))),
        root.ask(StartChild(family.spec("c"))),
        return_exceptions=True,
    )
    assert isinstance(first, Ref)
    assert isinstance(second, ChildAlreadyStarted)


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
async def test_a_child_that_can_not_start_is_not_kept(system: System, restart: str) -> None:
    """SV-11 start_child: the asker gets the cause; nothing is tried again, nobody else is hit."""
    family = Family(system)
    root = await system.spawn(family.supervisor("a", "one_for_all"), "root")
    family.failing_starts["b"] = 1
    spec = family.spec("b", restart)  # type: ignore[arg-type]
    with pytest.raises(StartFailed, match="root/b could not be started") as failure:
        await root.ask(StartChild(spec))
    assert isinstance(failure.value.__cause__, OSError)
    assert await phases(root) == {"a": "running"}
    assert names(system) == ["a"]
    await asyncio.sleep(100)
    assert family.take_log() == "+a +b -b"
    await root.ask(StartChild(spec))
    assert await phases(root) == {"a": "running", "b": "running"}


async def test_a_terminated_child_is_kept_and_not_restarted(
    system: System, events: list[Event]
) -> None:
    """SV-11 terminate_child: answered when it is down; its watchers are told; idempotent."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab"), "root")
    ref = system.ref("root/a")
    family.stops_in["a"] = 3
    both = asyncio.gather(root.ask(TerminateChild("a")), root.ask(TerminateChild("a")))
    await quiet()
    assert await phases(root) == {"a": "stopping", "b": "running"}
    await both
    assert system.clock.now() == pytest.approx(3)
    assert not ref.is_alive
    assert ChildForgotten(path="root/a", at=system.clock.now(), reason="shutdown") in events
    await root.ask(TerminateChild("a"))
    assert await phases(root) == {"a": "stopped", "b": "running"}
    await asyncio.sleep(100)
    assert family.take_log() == "+a +b -a"
    assert [event for event in events if isinstance(event, ChildRestarted)] == []


async def test_a_temporary_child_is_forgotten_when_it_is_terminated(system: System) -> None:
    """SV-11 terminate_child: its spec too."""
    family = Family(system)
    root = await system.spawn(family.supervisor([family.spec("a", "temporary")]), "root")
    await root.ask(TerminateChild("a"))
    assert await phases(root) == {}
    with pytest.raises(ChildNotFound, match="root has no child with the id 'a'"):
        await root.ask(TerminateChild("a"))


async def test_a_terminated_child_is_started_again(system: System) -> None:
    """SV-11 restart_child: a new incarnation, in its old place of the order."""
    family = Family(system)
    root = await system.spawn(family.supervisor("abc"), "root")
    await root.ask(TerminateChild("a"))
    family.starts_in["a"] = 1
    ref = await root.ask(RestartChild("a"))
    assert system.clock.now() == 1
    assert await ref.ask(Count()) == 1
    assert await phases(root) == {"a": "running", "b": "running", "c": "running"}
    await system.stop(root)
    assert family.take_log() == "+a +b +c -a +a -c -b -a"


async def test_what_can_not_be_restarted_is_refused(system: System) -> None:
    """SV-11 restart_child: not found, running, restarting; one that fails stays as it was."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", backoff=TEN), "root")
    with pytest.raises(ChildNotFound):
        await root.ask(RestartChild("x"))
    with pytest.raises(ChildRunning, match="TerminateChild"):
        await root.ask(RestartChild("a"))
    family.tell("a", Fail())
    await quiet()
    with pytest.raises(ChildRestarting):
        await root.ask(RestartChild("a"))
    await root.ask(TerminateChild("b"))
    family.failing_starts["b"] = 1
    with pytest.raises(StartFailed):
        await root.ask(RestartChild("b"))
    assert (await phases(root))["b"] == "stopped"
    await root.ask(RestartChild("b"))
    assert (await phases(root))["b"] == "running"


async def test_a_child_that_was_added_is_kept_as_the_others_are(system: System) -> None:
    """SV-11 restart_child: once it has been up, a start that fails drops it no more."""
    family = Family(system)
    root = await system.spawn(family.supervisor("a"), "root")
    await root.ask(StartChild(family.spec("b", "transient")))
    family.tell("b", Finish())
    await quiet()
    family.failing_starts["b"] = 1
    with pytest.raises(StartFailed):
        await root.ask(RestartChild("b"))
    assert await phases(root) == {"a": "running", "b": "stopped"}


async def test_a_child_that_is_started_again_has_no_past(
    system: System, events: list[Event]
) -> None:
    """SV-11 restart_child: it isn't the supervisor's restart, and waits grow from the base."""
    family = Family(system)
    root = await system.spawn(family.supervisor("a", backoff=Backoff(1, jitter=False)), "root")
    for _ in range(3):
        family.tell("a", Fail())
        await asyncio.sleep(5)
    await root.ask(TerminateChild("a"))
    before = len(events)
    await root.ask(RestartChild("a"))
    family.tell("a", Fail())
    await asyncio.sleep(5)
    later = events[before:]
    assert [event.restarts for event in later if isinstance(event, ChildRestarted)] == [1]
    (wait,) = [event for event in later if isinstance(event, RestartScheduled)]
    assert (wait.attempt, wait.delay) == (1, 1.0)


async def test_a_child_is_deleted_when_it_is_stopped(system: System) -> None:
    """SV-11 delete_child: not found, running, restarting; then its id is free."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", backoff=TEN), "root")
    with pytest.raises(ChildNotFound):
        await root.ask(DeleteChild("x"))
    with pytest.raises(ChildRunning):
        await root.ask(DeleteChild("a"))
    family.tell("b", Fail())
    await quiet()
    with pytest.raises(ChildRestarting):
        await root.ask(DeleteChild("b"))
    await root.ask(TerminateChild("a"))
    await root.ask(DeleteChild("a"))
    assert await phases(root) == {"b": "restarting"}
    await root.ask(StartChild(family.spec("a")))
    assert await phases(root) == {"b": "restarting", "a": "running"}


async def test_a_transient_child_that_has_finished_can_be_started_again(system: System) -> None:
    """SV-11 restart_child, delete_child: it is stopped, and its spec is there."""
    family = Family(system)
    root = await system.spawn(family.supervisor([family.spec("a", "transient")]), "root")
    family.tell("a", Finish())
    await quiet()
    assert await phases(root) == {"a": "stopped"}
    await root.ask(RestartChild("a"))
    assert await system.ref("root/a").ask(Count()) == 1


async def test_which_children_there_are(system: System) -> None:
    """SV-11 which_children, count_children: in start order, with what they are and do."""
    family = Family(system)
    inner = supervisor("inner", family.spec("x"), family.spec("y"))
    specs = [family.spec("a"), inner, family.spec("b", "transient"), family.spec("c")]
    root = await system.spawn(family.supervisor(specs, backoff=TEN), "root")
    family.tell("c", Fail())
    await root.ask(TerminateChild("b"))
    family.starts_in["d"] = 5
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("d", "temporary"))))
    await quiet()
    ref = system.ref
    assert await root.ask(WhichChildren()) == (
        ChildInfo("a", ref("root/a"), "running", "permanent", False),
        ChildInfo("inner", ref("root/inner"), "running", "permanent", True),
        ChildInfo("b", None, "stopped", "transient", False),
        ChildInfo("c", ref("root/c"), "restarting", "permanent", False),
        ChildInfo("d", ref("root/d"), "starting", "temporary", False),
    )
    assert await root.ask(CountChildren()) == ChildCounts(5, 2, 1, 4)
    await adding


async def test_who_does_not_wait_for_the_start_gets_it_all_the_same(system: System) -> None:
    """SV-11 The deadline is the asker's; the child is the supervisor's."""
    family = Family(system)
    root = await system.spawn(family.supervisor("a"), "root")
    family.starts_in["b"] = 5
    with pytest.raises(InferenceTimeout):
        await root.ask(StartChild(family.spec("b")), timeout=1)
    await asyncio.sleep(5)
    assert await phases(root) == {"a": "running", "b": "running"}
