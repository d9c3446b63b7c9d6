"""How trees start, roll a start back, and shut down."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from failsoft.actors import KILLED, SHUTDOWN, ActorStopped, StartFailed, System, handles
from failsoft.messages import Request
from failsoft.supervisors import (
    BRUTAL,
    INFINITE,
    Backoff,
    StartRolledBack,
    Supervisor,
    child,
    supervisor,
)

from .family import Fail, Family, Member, quiet

pytestmark = pytest.mark.anyio


async def test_a_start_that_fails_is_rolled_back(system: System) -> None:
    """SV-08 Those already started are stopped; the error names the child and its cause."""
    family = Family(system)
    family.failing_starts = {"b": 1}
    with pytest.raises(StartFailed, match="root could not start its child 'b'") as error:
        await system.spawn(family.supervisor("abc"), "root")
    assert family.take_log() == "+a +b -b -a"
    rolled_back = error.value.__cause__
    assert isinstance(rolled_back, StartRolledBack)
    assert rolled_back.child == "b"
    assert isinstance(rolled_back.__cause__, OSError)
    assert system.tree() == ()


async def test_a_nested_start_that_fails_is_rolled_back_to_the_root(system: System) -> None:
    """SV-08 Each level stops what it had started, and adds its word to the cause."""
    family = Family(system)
    family.failing_starts = {"y": 1}
    inner = supervisor("inner", family.spec("x"), family.spec("y"))
    with pytest.raises(StartFailed) as error:
        await system.spawn(family.supervisor([family.spec("a"), inner]), "root")
    assert family.take_log() == "+a +x +y -y -x -a"
    assert "root/inner could not start its child 'y'" in str(error.value.__cause__.__cause__)  # type: ignore[union-attr]


class Deaf(Member):
    """Not end before the test is over, unless it is killed."""

    def on_shutdown(self, _reason: object) -> bool:
        return False


async def test_a_child_that_ignores_stop_is_killed_after_its_time(system: System) -> None:
    """SV-10 Those before it wait for their turn; brutal is at once; a time is a time."""
    family = Family(system)
    deaf = [
        child("a", lambda: Deaf(family), shutdown=2),
        child("b", lambda: Deaf(family), shutdown=BRUTAL),
        child("c", lambda: Deaf(family), shutdown=3),
    ]
    ref = await system.spawn(family.supervisor(deaf), "root")
    family.take_log()
    stopping = asyncio.ensure_future(system.stop(ref))
    await asyncio.sleep(2.9)
    assert family.take_log() == ""
    await asyncio.sleep(0.2)
    assert family.take_log() == "-c -b"
    await stopping
    assert system.clock.now() == pytest.approx(5)
    assert family.take_log() == "-a"
    assert family.reasons == {"a": KILLED, "b": KILLED, "c": KILLED}


async def test_an_infinite_shutdown_is_waited_for(system: System) -> None:
    """SV-10 However long it takes."""
    family = Family(system)
    family.stops_in = {"a": 10_000}
    spec = family.spec("a", shutdown=INFINITE)
    ref = await system.spawn(family.supervisor([spec]), "root")
    await system.stop(ref)
    assert system.clock.now() == 10_000
    assert family.reasons == {"a": SHUTDOWN}


async def test_a_supervisor_has_as_long_as_its_children_need(system: System) -> None:
    """SV-10 It isn't killed over their heads."""
    family = Family(system)
    family.stops_in = {"x": 100}
    inner = supervisor("inner", family.spec("x", shutdown=200))
    ref = await system.spawn(family.supervisor([inner]), "root")
    await system.stop(ref)
    assert family.reasons == {"x": SHUTDOWN}
    assert system.clock.now() == 100


async def test_a_killed_supervisor_takes_its_children_along(system: System) -> None:
    """SV-18 At once, all of them."""
    family = Family(system)
    inner = supervisor("inner", family.spec("x"), family.spec("y"))
    ref = await system.spawn(family.supervisor([family.spec("a"), inner]), "root")
    family.take_log()
    await system.stop(ref, within=0)
    assert family.take_log() == "-a -y -x"
    assert set(family.reasons.values()) == {KILLED}
    assert system.clock.now() == 0


async def test_shutdown_during_backoff_is_prompt(system: System) -> None:
    """SV-18 Nobody waits for a restart that won't be."""
    family = Family(system)
    backoff = Backoff(base=50, jitter=False)
    ref = await system.spawn(family.supervisor("abc", backoff=backoff), "root")
    family.tell("b", Fail())
    await asyncio.sleep(1)
    family.take_log()
    await system.stop(ref)
    assert family.take_log() == "-c -a"
    assert system.clock.now() == 1
    await asyncio.sleep(100)
    assert family.take_log() == ""


async def test_what_waits_for_a_child_in_backoff_is_answered_at_shutdown(
    system: System,
) -> None:
    """SV-18 With a typed error; nothing is lost."""
    family = Family(system)
    backoff = Backoff(base=50, jitter=False)
    ref = await system.spawn(family.supervisor("a", backoff=backoff), "root")
    family.tell("a", Fail())
    await quiet()
    asked = asyncio.ensure_future(family.count("a"))
    await quiet()
    await system.stop(ref)
    with pytest.raises(ActorStopped):
        await asked


async def test_shutdown_during_the_start_is_prompt(system: System) -> None:
    """SV-18 What is half started is called off, what is started is stopped, in reverse."""
    family = Family(system)
    family.starts_in = {"b": 1000}
    spawning = asyncio.ensure_future(system.spawn(family.supervisor("abc"), "root"))
    await asyncio.sleep(1)
    await system.stop(system.ref("root"))
    with pytest.raises(StartFailed, match="shutdown"):
        await spawning
    assert family.take_log() == "+a +b -b -a"
    assert system.clock.now() == 1


async def test_shutdown_during_a_restart_is_prompt(system: System) -> None:
    """SV-18 Those that are down already aren't started again first."""
    family = Family(system)
    ref = await system.spawn(family.supervisor("abc", "one_for_all"), "root")
    family.stops_in = {"b": 1}
    family.tell("c", Fail())
    await quiet()
    family.take_log()
    stopping = asyncio.ensure_future(system.stop(ref))
    await stopping
    assert family.take_log() == "-a"
    assert system.clock.now() == pytest.approx(1)


async def test_shutdown_while_the_supervisor_escalates(clean_loop: None, plain_logs: None) -> None:
    """SV-18 It ends once, with the first reason, and nothing hangs."""

    async def run() -> None:
        async with System() as system:
            family = Family(system)
            family.stops_in = {"a": 1}
            inner = supervisor("inner", family.spec("a"), family.spec("b"), backoff=Backoff(0))
            await system.spawn(family.supervisor([inner]), "root")
            for _ in range(4):
                family.tell("inner/b", Fail())
                await quiet()
            await asyncio.sleep(0.5)

    with anyio.fail_after(10):
        await run()


class WhoAmI(Request[str], frozen=True):
    """Ask for the incarnation that answers."""


async def test_a_restarted_actor_is_a_new_one_with_the_old_mailbox(system: System) -> None:
    """SV-21 What waited is handled by the new one; the message that killed it isn't again."""
    family = Family(system)
    made: list[Member] = []

    class Known(Member):
        @handles(WhoAmI)
        def who_am_i(self, _message: WhoAmI) -> str:
            return f"{self.context.incarnation} of {len(made)}"

    def make() -> Member:
        made.append(Known(family))
        return made[-1]

    backoff = Backoff(base=5, jitter=False)
    await system.spawn(lambda: Supervisor([child("a", make)], backoff=backoff), "root")
    ref = system.ref("root/a")
    assert await ref.ask(WhoAmI()) == "1 of 1"
    ref.tell(Fail())
    asked = [asyncio.ensure_future(ref.ask(WhoAmI())) for _ in range(3)]
    await asyncio.sleep(1)
    asked.append(asyncio.ensure_future(ref.ask(WhoAmI())))
    assert await asyncio.gather(*asked) == ["2 of 2"] * 4
    assert system.clock.now() == 5
    node = family.node("root/a")
    assert node is not None
    assert (node.failed, node.restarts) == (1, 1)
