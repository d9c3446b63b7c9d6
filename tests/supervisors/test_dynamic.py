"""Dynamic supervisors: thousands of children from one template."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from failsoft.actors import Actor, ActorStopped, Ref, StartFailed, System, TreeFailed, handles
from failsoft.messages import Request
from failsoft.messages.events import ChildRestarted, Event, RestartCalledOff
from failsoft.supervisors import (
    INFINITE,
    NO_WAIT,
    Backoff,
    ChildAlreadyStarted,
    ChildCounts,
    ChildNotFound,
    ChildSpec,
    CountChildren,
    DeleteChild,
    DynamicSupervisor,
    Intensity,
    IntensityExceeded,
    NotForDynamic,
    Restart,
    RestartChild,
    StartChild,
    StartChildWith,
    TerminateChild,
    TooManyChildren,
    WhichChildren,
    child,
    dynamic_supervisor,
    template,
)

from .family import PLENTY, Count, Fail, Family, Finish, Member, quiet

pytestmark = pytest.mark.anyio


class WhoAreYou(Request[tuple[str, float]], frozen=True):
    """Ask for what it was made with."""


class Session(Member):
    """Be a member that was made with arguments."""

    def __init__(self, family: Family, user: str = "", limit: float = 0) -> None:
        super().__init__(family)
        self._made_with = user, limit

    @handles(WhoAreYou)
    def who(self, _message: WhoAreYou) -> tuple[str, float]:
        return self._made_with


def sessions(family: Family, restart: Restart = "permanent", **options: Any) -> ChildSpec:
    def make(user: str = "", limit: float = 0) -> Session:
        return Session(family, user, limit)

    options.setdefault("backoff", NO_WAIT)
    options.setdefault("intensity", PLENTY)
    shutdown = options.pop("shutdown", None)
    made = template("session", make, restart=restart, shutdown=shutdown)
    return dynamic_supervisor("root", made, **options)


async def start(system: System, family: Family, *args: Any, **options: Any) -> Ref:
    return await system.spawn(sessions(family, *args, **options).start, "root")


async def test_children_are_made_with_what_is_asked(system: System) -> None:
    """SV-14 One template, arguments each; so is the next incarnation."""
    family = Family(system)
    root = await start(system, family)
    ann = await root.ask(StartChildWith(("ann",), {"limit": 3}, id="ann"))
    some = await root.ask(StartChildWith())
    more = await root.ask(StartChildWith(("bob",)))
    assert [ref.path for ref in (ann, some, more)] == [
        "root/ann",
        "root/session-1",
        "root/session-2",
    ]
    assert await ann.ask(WhoAreYou()) == ("ann", 3)
    ann.tell(Fail())
    assert await ann.ask(WhoAreYou()) == ("ann", 3)
    assert family.take_log() == "+ann +session-1 +session-2 -ann +ann"


async def test_thousands_are_started_and_counted(system: System) -> None:
    """SV-14 And stopped side by side: the slowest is what it takes."""
    family = Family(system)
    root = await start(system, family, "temporary", shutdown=INFINITE)
    many = [StartChildWith(id=f"s{number}") for number in range(3000)]
    refs = await asyncio.gather(*map(root.ask, many))
    assert await root.ask(CountChildren()) == ChildCounts(3000, 3000, 0, 3000)
    family.stops_in = {f"s{number}": number / 100 for number in range(3000)}
    began = system.clock.now()
    await system.stop(root)
    assert system.clock.now() - began == pytest.approx(29.99)
    assert not any(ref.is_alive for ref in refs)


async def test_each_is_stopped_within_its_time(system: System) -> None:
    """SV-14 Who takes longer is killed, and nobody waits for anybody else."""
    family = Family(system)
    root = await start(system, family, shutdown=2)
    for id in ("a", "b", "c"):
        await root.ask(StartChildWith(id=id))
    family.stops_in = {"a": 1, "b": 100, "c": 100}
    began = system.clock.now()
    await system.stop(root)
    assert system.clock.now() - began == pytest.approx(2)


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
async def test_who_ends_for_good_is_forgotten(
    system: System, restart: Restart, message: Fail | Finish, comes_back: bool
) -> None:
    """SV-14 Nothing of it is kept; the others aren't hit."""
    family = Family(system)
    root = await start(system, family, restart)
    other = await root.ask(StartChildWith(id="other"))
    ref = await root.ask(StartChildWith(id="a"))
    ref.tell(message)
    await quiet()
    assert ref.is_alive is comes_back
    assert [info.id for info in await root.ask(WhichChildren())] == (
        ["other", "a"] if comes_back else ["other"]
    )
    assert len(system.tree()[0].children) == 1 + comes_back
    assert await other.ask(Count()) == 1
    if not comes_back:
        await root.ask(StartChildWith(id="a"))


async def test_no_more_than_the_bound(system: System) -> None:
    """SV-14 A typed refusal; a place that is free again can be had."""
    family = Family(system)
    root = await start(system, family, max_children=2)
    await root.ask(StartChildWith(id="a"))
    await root.ask(StartChildWith(id="b"))
    with pytest.raises(TooManyChildren, match=r"root has 2 children.*max_children") as refused:
        await root.ask(StartChildWith(id="c"))
    assert refused.value.most == 2
    await root.ask(TerminateChild("a"))
    await root.ask(StartChildWith(id="c"))


async def test_what_else_is_refused(system: System) -> None:
    """SV-14 As OTP refuses it for simple_one_for_one."""
    family = Family(system)
    root = await start(system, family)
    await root.ask(StartChildWith(id="a"))
    with pytest.raises(ChildAlreadyStarted):
        await root.ask(StartChildWith(id="a"))
    with pytest.raises(ChildNotFound):
        await root.ask(TerminateChild("x"))
    with pytest.raises(NotForDynamic, match="RestartChild is not for it"):
        await root.ask(RestartChild("a"))
    with pytest.raises(NotForDynamic, match="StartChildWith"):
        await root.ask(DeleteChild("a"))
    with pytest.raises(NotForDynamic):
        await root.ask(StartChild(family.spec("b")))
    with pytest.raises(ValueError, match="slash"):
        await root.ask(StartChildWith(id="a/b"))
    with pytest.raises(StartFailed, match="unexpected keyword"):
        await root.ask(StartChildWith(options={"colour": "red"}))
    family.failing_starts["f"] = 1
    with pytest.raises(StartFailed, match="f can't start"):
        await root.ask(StartChildWith(id="f"))
    assert [info.id for info in await root.ask(WhichChildren())] == ["a"]


async def test_termination_in_backoff(system: System) -> None:
    """SV-17 The restart doesn't happen, and the child is forgotten."""
    family = Family(system)
    root = await start(system, family, backoff=Backoff(10, jitter=False))
    ref = await root.ask(StartChildWith(id="a"))
    ref.tell(Fail())
    await quiet()
    (info,) = await root.ask(WhichChildren())
    assert info.phase == "restarting"
    assert system.tree()[0].children[0].waiting_until == 10
    await root.ask(TerminateChild("a"))
    assert not ref.is_alive
    await asyncio.sleep(100)
    assert family.take_log() == "+a -a"


async def test_waits_grow_and_a_failed_restart_is_tried_again(
    system: System, events: list[Event]
) -> None:
    """SV-14 By each child's own count."""
    family = Family(system)
    root = await start(system, family, backoff=Backoff(1, jitter=False))
    ref = await root.ask(StartChildWith(id="a"))
    family.failing_starts["a"] = 2
    ref.tell(Fail())
    await asyncio.sleep(20)
    assert ChildRestarted(path="root/a", at=7, restarts=3) in events


async def test_too_many_restarts_escalate(clean_loop: None, plain_logs: None) -> None:
    """SV-14 Counted over all children; who waits for a start or a stop is answered."""

    async def run(answers: list[asyncio.Future[Any]]) -> None:
        async with System() as system:
            family = Family(system)
            root = await start(system, family, intensity=Intensity(2, 5))
            for id in "abc":
                await root.ask(StartChildWith(id=id))
            family.starts_in["d"] = 50
            answers.append(asyncio.ensure_future(root.ask(StartChildWith(id="d"))))
            family.stops_in["a"] = 1
            answers.append(asyncio.ensure_future(root.ask(TerminateChild("a"))))
            await quiet()
            for id in "bcb":
                family.tell(id, Fail())
                await quiet()
            await asyncio.sleep(100)

    answers: list[asyncio.Future[Any]] = []
    with pytest.raises(TreeFailed) as failure:
        await run(answers)
    cause = failure.value.__cause__
    assert isinstance(cause, IntensityExceeded)
    assert (cause.path, cause.child) == ("root", "b")
    adding, terminating = answers
    with pytest.raises(ActorStopped, match="restarted its children too often"):
        await adding
    assert await terminating is None


async def test_the_end_during_a_start_and_a_wait(system: System, events: list[Event]) -> None:
    """SV-18 Nobody is waited for who isn't there."""
    family = Family(system)
    root = await start(system, family, backoff=Backoff(10, jitter=False))
    ref = await root.ask(StartChildWith(id="a"))
    ref.tell(Fail())
    family.starts_in["b"] = 100
    adding = asyncio.ensure_future(root.ask(StartChildWith(id="b")))
    await quiet()
    began = system.clock.now()
    await system.stop(root)
    assert system.clock.now() == pytest.approx(began)
    assert RestartCalledOff(path="root", at=began, children=("a",)) in events
    with pytest.raises(ActorStopped):
        await adding


async def test_it_is_a_child_as_any_other(system: System) -> None:
    """SV-14 A new incarnation of it has no children, as in OTP."""
    family = Family(system)
    pool = sessions(family)
    start_tree = family.supervisor([child("pool", pool.start), family.spec("b")], "one_for_all")
    root = await system.spawn(start_tree, "root")
    ref = await system.ref("root/pool").ask(StartChildWith(id="a"))
    counts = await root.ask(CountChildren())
    assert (counts.supervisors, counts.workers) == (1, 1)
    family.tell("b", Fail())
    await quiet()
    assert not ref.is_alive
    assert await system.ref("root/pool").ask(WhichChildren()) == ()


def test_bad_templates_are_told_where_they_are_made() -> None:
    """SV-14 By name, and with what to do."""
    significant = child("s", Actor, restart="transient", significant=True)
    for make in (
        lambda: dynamic_supervisor("pool", significant),
        lambda: DynamicSupervisor(significant),
    ):
        with pytest.raises(ValueError, match="the template 's' can't be significant"):
            make()
    with pytest.raises(ValueError, match="max_children"):
        dynamic_supervisor("pool", template("s", Session), max_children=0)
    with pytest.raises(TypeError, match="template\\(id, start\\)"):
        dynamic_supervisor("pool", Session)  # type: ignore[arg-type]
