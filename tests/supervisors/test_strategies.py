"""The three strategies, and the three kinds of children."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import Actor, StartFailed, System, TreeFailed
from failsoft.messages.events import ChildRestarted, Event
from failsoft.supervisors import Backoff, DuplicateChild, Supervisor, child, supervisor

from .family import Fail, Family, Finish, quiet

pytestmark = pytest.mark.anyio


async def test_one_for_one_restarts_only_the_one_that_failed(system: System) -> None:
    """SV-01 The others keep their state."""
    family = Family(system)
    await system.spawn(family.supervisor("abc"), "root")
    assert family.take_log() == "+a +b +c"
    for name in "abc":
        await family.count(name)
    family.tell("b", Fail())
    await quiet()
    assert family.take_log() == "-b +b"
    assert [await family.count(name) for name in "abc"] == [2, 1, 2]


async def test_one_for_all_restarts_all(system: System) -> None:
    """SV-02 Stopped in reverse order, started in order."""
    family = Family(system)
    await system.spawn(family.supervisor("abcd", "one_for_all"), "root")
    family.take_log()
    family.tell("b", Fail())
    await quiet()
    assert family.take_log() == "-b -d -c -a +a +b +c +d"
    assert [await family.count(name) for name in "abcd"] == [1, 1, 1, 1]


async def test_rest_for_one_restarts_the_one_and_those_after_it(system: System) -> None:
    """SV-03 Those before it keep their state."""
    family = Family(system)
    await system.spawn(family.supervisor("abcd", "rest_for_one"), "root")
    family.take_log()
    for name in "abcd":
        await family.count(name)
    family.tell("b", Fail())
    await quiet()
    assert family.take_log() == "-b -d -c +b +c +d"
    assert [await family.count(name) for name in "abcd"] == [2, 1, 1, 1]


async def test_children_are_stopped_and_started_one_by_one(system: System) -> None:
    """SV-02 One that takes its time is waited for."""
    family = Family(system)
    family.starts_in = {"a": 1, "b": 2, "c": 4}
    family.stops_in = {"a": 0.1, "b": 0.2, "c": 0.4}
    ref = await system.spawn(family.supervisor("abc", "one_for_all"), "root")
    assert system.clock.now() == 7
    family.tell("a", Fail())
    await quiet()
    assert family.take_log() == "+a +b +c -a"
    await asyncio.sleep(0.15)
    assert family.take_log() == "-c"
    await asyncio.sleep(0.4)
    assert family.take_log() == "-b"
    await asyncio.sleep(10)
    assert family.take_log() == "+a +b +c"
    await system.stop(ref)
    assert family.take_log() == "-c -b -a"


@pytest.mark.parametrize(
    ("restart", "message", "comes_back"),
    [
        ("permanent", Finish(), True),
        ("permanent", Fail(), True),
        ("transient", Finish(), False),
        ("transient", Fail(), True),
        ("temporary", Finish(), False),
        ("temporary", Fail(), False),
    ],
)
async def test_who_is_restarted_after_what(
    system: System, restart: str, message: Fail | Finish, comes_back: bool
) -> None:
    """SV-04 Permanent always, transient after a failure, temporary never."""
    family = Family(system)
    spec = child("a", family.member, restart=restart)  # type: ignore[arg-type]
    await system.spawn(family.supervisor([spec, family.spec("b")]), "root")
    ref = system.ref("root/a")
    family.tell("a", message)
    await quiet()
    assert ref.is_alive is comes_back
    assert family.take_log() == ("+a +b -a +a" if comes_back else "+a +b -a")
    assert [node.name for node in system.tree()[0].children] == (
        ["a", "b"] if comes_back else ["b"]
    )
    shown = system.tree()[0].shows["children"]
    assert ("a" in shown) is (restart != "temporary")


async def test_a_temporary_child_takes_no_siblings_along(system: System) -> None:
    """SV-04 Its end is nobody's business, whatever the strategy."""
    family = Family(system)
    specs = [family.spec("a"), family.spec("b", "temporary"), family.spec("c")]
    await system.spawn(family.supervisor(specs, "one_for_all"), "root")
    family.tell("b", Fail())
    await quiet()
    assert family.take_log() == "+a +b +c -b"


async def test_a_temporary_child_is_not_started_again_with_its_siblings(
    system: System,
) -> None:
    """SV-04 It ends with them and is forgotten, as in OTP."""
    family = Family(system)
    specs = [family.spec("a"), family.spec("b", "temporary"), family.spec("c")]
    await system.spawn(family.supervisor(specs, "one_for_all"), "root")
    ref = system.ref("root/b")
    family.tell("a", Fail())
    await quiet()
    assert family.take_log() == "+a +b +c -a -c -b +a +c"
    assert not ref.is_alive


async def test_a_transient_child_that_is_done_comes_back_with_its_siblings(
    system: System, events: list[Event]
) -> None:
    """SV-04 As in OTP: it is still one of the family."""
    family = Family(system)
    specs = [family.spec("a"), family.spec("b", "transient")]
    await system.spawn(family.supervisor(specs, "one_for_all"), "root")
    family.tell("b", Finish())
    await quiet()
    family.tell("a", Fail())
    await quiet()
    assert family.take_log() == "+a +b -b -a +a +b"
    assert [e.path for e in events if isinstance(e, ChildRestarted)] == ["root/a", "root/b"]


async def test_the_same_id_twice_is_an_error_before_anything_starts(system: System) -> None:
    """SV-12 It names the id."""
    family = Family(system)
    with pytest.raises(StartFailed, match="two children with the id 'a'") as error:
        await system.spawn(family.supervisor("aba"), "root")
    assert isinstance(error.value.__cause__, DuplicateChild)
    assert family.log == []


async def test_specs_with_a_contradiction_are_refused_where_they_are_made() -> None:
    """SV-12 Each with what would do."""
    with pytest.raises(ValueError, match="must be permanent, transient or temporary"):
        child("a", Actor, restart="sometimes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 0 s"):
        child("a", Actor, shutdown=-1)
    with pytest.raises(ValueError, match="nor hold a slash"):
        child("a/b", Actor)


async def test_an_unknown_strategy_is_refused(system: System) -> None:
    """SV-12 At the start, not at the first failure."""
    with pytest.raises(StartFailed, match="one_for_none"):
        await system.spawn(lambda: Supervisor([], strategy="one_for_none"), "root")  # type: ignore[arg-type]


async def test_an_id_may_be_any_word(system: System) -> None:
    """SV-12 None has a meaning of its own to the machine."""
    family = Family(system)
    await system.spawn(family.supervisor([family.spec("*"), family.spec("a")]), "root")
    family.tell("*", Fail())
    await quiet()
    assert family.take_log() == "+* +a -* +*"


async def test_a_supervisor_without_children_is_up_at_once(system: System) -> None:
    """SV-08 And ends at once."""
    ref = await system.spawn(lambda: Supervisor([]), "root")
    await system.stop(ref)


async def test_a_nested_supervisor_is_restarted_with_its_children(
    clean_loop: None, plain_logs: None
) -> None:
    """SV-02 It is a child like any other."""

    async def run() -> None:
        async with System() as system:
            family = Family(system)
            inner = supervisor("inner", family.spec("x"), family.spec("y"), backoff=Backoff(0))
            await system.spawn(family.supervisor([inner, family.spec("b")], "one_for_all"), "root")
            assert family.take_log() == "+x +y +b"
            family.tell("b", Fail())
            await quiet()
            assert family.take_log() == "-b -y -x +x +y +b"
            family.tell("inner/x", Fail())
            await quiet()
            assert family.take_log() == "-x +x"
            system.find("root/inner").address.kill()  # type: ignore[union-attr]
            await quiet()
            assert family.take_log() == "-y -x -b +x +y +b"
            raise LookupError("done")

    with pytest.raises(LookupError):
        await run()


async def test_a_group_restart_during_the_first_start_starts_it_over(system: System) -> None:
    """SV-16 Nobody is started twice, and the start succeeds in the end."""
    family = Family(system)
    family.starts_in = {"b": 5}
    spawning = asyncio.ensure_future(system.spawn(family.supervisor("abc", "one_for_all"), "root"))
    await asyncio.sleep(1)
    family.tell("a", Fail())
    await spawning
    assert family.take_log() == "+a +b -a -b +a +b +c"


async def test_a_failure_of_an_earlier_child_during_the_first_start_is_its_own_restart(
    system: System,
) -> None:
    """SV-16 With one_for_one the start of the others goes on meanwhile."""
    family = Family(system)
    family.starts_in = {"b": 5}
    spawning = asyncio.ensure_future(system.spawn(family.supervisor("abc"), "root"))
    await asyncio.sleep(1)
    family.tell("a", Fail())
    await spawning
    assert family.take_log() == "+a +b -a +a +c"
    assert system.clock.now() == 5


async def test_a_failing_restart_in_rest_for_one_leaves_alone_those_before_it(
    system: System,
) -> None:
    """SV-03 Also those that have just come back themselves."""
    family = Family(system)
    await system.spawn(family.supervisor("abc", "rest_for_one"), "root")
    family.take_log()
    family.failing_starts = {"b": 2}
    family.tell("a", Fail())
    await quiet()
    assert family.take_log() == "-a -c -b +a +b -b +b -b +b +c"


async def test_a_stale_word_of_an_old_incarnation_does_not_reach_the_new_one(
    system: System,
) -> None:
    """SV-02 A child that fails while it is being stopped with its group isn't stopped twice."""
    family = Family(system)
    await system.spawn(family.supervisor("ab", "one_for_all"), "root")
    family.take_log()
    family.stops_in = {"b": 1}
    family.tell("b", Fail())  # it is in its clean-up when the group's stop comes
    await quiet()
    family.tell("a", Fail())
    await asyncio.sleep(10)
    assert family.take_log() == "-b -a +a +b"
    assert all(node.state == "running" for node in system.tree()[0].walk())


async def test_the_tree_that_fails_says_where_and_why(clean_loop: None, plain_logs: None) -> None:
    """SV-06 The chain of causes can be read from the root to the error."""

    async def run() -> None:
        async with System() as system:
            family = Family(system)
            inner = supervisor("inner", family.spec("x"), backoff=Backoff(0))
            await system.spawn(lambda: Supervisor([inner], backoff=Backoff(0)), "root")
            while True:
                family.tell("inner/x", Fail("over and over"))
                await asyncio.sleep(0.01)

    with pytest.raises(TreeFailed) as failure:
        await run()
    chain: list[BaseException | None] = [failure.value]
    while chain[-1] is not None:
        chain.append(chain[-1].__cause__)
    said = [str(error) for error in chain[:-1]]
    assert said[0].startswith("the tree at root failed: IntensityExceeded")
    assert "root restarted its children too often; the last to fail was 'inner/x'" in said[1]
    assert "root/inner restarted its children too often; the last to fail was 'x'" in said[2]
    assert said[3] == "'over and over'"
