"""Managing children while the supervisor runs: OTP's requests, and OTP's refusals."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import ActorStopped, Ref, StartFailed, System, TreeNode
from failsoft.messages import InferenceTimeout
from failsoft.messages.events import ChildForgotten, ChildRestarted, Event
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
    Strategy,
    TerminateChild,
    WhichChildren,
    supervisor,
)

from .family import Count, Fail, Family, Finish, quiet

pytestmark = pytest.mark.anyio

TEN = Backoff(10, jitter=False)


async def phases(root: Ref) -> dict[str, str]:
    return {info.id: info.phase for info in await root.ask(WhichChildren())}


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


async def test_termination_in_backoff_calls_the_restart_off(system: System) -> None:
    """SV-17 It doesn't happen, and what waited in its mailbox is answered."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", backoff=TEN), "root")
    ref = system.ref("root/a")
    family.tell("a", Fail())
    await quiet()
    waiting = asyncio.ensure_future(ref.ask(Count(), timeout=100))
    await quiet()
    assert node(system, "root/a").waiting_until == 10
    await root.ask(TerminateChild("a"))
    with pytest.raises(ActorStopped):
        await waiting
    await asyncio.sleep(100)
    assert family.take_log() == "+a +b -a"
    assert await phases(root) == {"a": "stopped", "b": "running"}
    await root.ask(RestartChild("a"))
    assert family.take_log() == "+a"


@pytest.mark.parametrize("who", ["a", "b", "c"])
async def test_a_group_that_waits_goes_on_without_who_was_terminated(
    system: System, who: str
) -> None:
    """SV-17 Be it the one that failed, or one that was stopped with it."""
    family = Family(system)
    root = await system.spawn(family.supervisor("abc", "one_for_all", backoff=TEN), "root")
    family.tell("b", Fail())
    await quiet()
    family.take_log()
    await root.ask(TerminateChild(who))
    await asyncio.sleep(100)
    others = [id for id in "abc" if id != who]
    assert family.take_log() == " ".join(f"+{id}" for id in others)
    assert await phases(root) == {id: "stopped" if id == who else "running" for id in "abc"}


async def test_a_group_whose_last_child_was_terminated_is_at_rest(system: System) -> None:
    """SV-17 Nothing is left to start; the supervisor goes on, and takes orders."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", "one_for_all", backoff=TEN), "root")
    family.tell("a", Fail())
    await quiet()
    await root.ask(TerminateChild("a"))
    await root.ask(TerminateChild("b"))
    await root.ask(RestartChild("b"))
    await asyncio.sleep(100)
    assert family.take_log() == "+a +b -a -b +b"


async def test_termination_while_it_starts_again(system: System) -> None:
    """SV-17 The start is called off; the ones after it are started all the same."""
    family = Family(system)
    root = await system.spawn(family.supervisor("abc", "one_for_all"), "root")
    family.starts_in["b"] = 5
    family.tell("a", Fail())
    await asyncio.sleep(1)
    family.take_log()
    await root.ask(TerminateChild("b"))
    await quiet()
    assert family.take_log() == "-b +c"
    assert await phases(root) == {"a": "running", "b": "stopped", "c": "running"}


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
@pytest.mark.parametrize("when", ["stopping", "waiting", "starting"])
async def test_a_child_added_in_a_restart_comes_after_it(
    system: System, strategy: Strategy, when: str
) -> None:
    """SV-19 Never in its midst: all of the others are up before it is begun."""
    family = Family(system)
    start = family.supervisor("abc", strategy, backoff=TEN)
    root = await system.spawn(start, "root")
    family.stops_in = dict.fromkeys("abc", 1.0)
    family.starts_in = dict.fromkeys("abcd", 1.0)
    family.tell("a", Fail())
    await asyncio.sleep({"stopping": 1.5, "waiting": 5, "starting": 14.5}[when])
    assert (await phases(root))["c"] != "running"
    family.take_log()
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("d"))))
    await quiet()
    assert (await phases(root))["d"] == "starting"
    ref = await adding
    log = family.take_log()
    assert log.endswith("+c +d")
    assert log.count("+d") == 1
    assert await ref.ask(Count()) == 1
    assert set((await phases(root)).values()) == {"running"}


async def test_a_restart_takes_a_child_along_that_is_being_added(system: System) -> None:
    """SV-19 One that is on its way up takes part: stopped with the others, started in order."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", "one_for_all"), "root")
    family.starts_in["c"] = 5
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("c"))))
    await asyncio.sleep(1)
    family.take_log()
    family.tell("a", Fail())
    assert (await adding).path == "root/c"
    assert family.take_log() == "-a -c -b +a +b +c"
    assert system.clock.now() == pytest.approx(6)


async def test_an_order_outruns_the_first_start_and_comes_after_it(system: System) -> None:
    """SV-19 A supervisor that is yet to come up takes it in."""
    family = Family(system)
    family.starts_in["b"] = 5
    spawning = asyncio.ensure_future(system.spawn(family.supervisor("abc"), "root"))
    await asyncio.sleep(1)
    ref = await system.ref("root").ask(StartChild(family.spec("d")))
    assert ref.path == "root/d"
    await spawning
    assert family.take_log() == "+a +b +c +d"


async def test_orders_to_a_supervisor_that_ends_are_answered(system: System) -> None:
    """SV-18 A start at once, with the reason; a termination when the child is down."""
    family = Family(system)
    root = await system.spawn(family.supervisor("ab", "one_for_all", backoff=TEN), "root")
    family.tell("b", Fail())
    await quiet()
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("c"))))
    await asyncio.sleep(15)
    await adding
    family.stops_in = {"b": 4}
    family.starts_in = {"d": 60}
    adding = asyncio.ensure_future(root.ask(StartChild(family.spec("d"))))
    await quiet()
    began = system.clock.now()
    stopping = asyncio.ensure_future(system.stop(root))
    await quiet()
    terminating = asyncio.ensure_future(root.ask(TerminateChild("a")))
    late = asyncio.ensure_future(root.ask(RestartChild("c")))
    with pytest.raises(ActorStopped, match="shutdown"):
        await adding
    with pytest.raises(ActorStopped):
        await late
    assert system.clock.now() - began < 1
    await terminating
    assert system.clock.now() - began == pytest.approx(4)
    await stopping


async def test_who_does_not_wait_for_the_start_gets_it_all_the_same(system: System) -> None:
    """SV-11 The deadline is the asker's; the child is the supervisor's."""
    family = Family(system)
    root = await system.spawn(family.supervisor("a"), "root")
    family.starts_in["b"] = 5
    with pytest.raises(InferenceTimeout):
        await root.ask(StartChild(family.spec("b")), timeout=1)
    await asyncio.sleep(5)
    assert await phases(root) == {"a": "running", "b": "running"}


def node(system: System, path: str) -> TreeNode:
    return next(node for top in system.tree() for node in top.walk() if node.path == path)
