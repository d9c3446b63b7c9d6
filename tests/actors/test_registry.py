"""The registry: names that follow their actors, held against a dict."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from failsoft.actors import Actor, NameTaken, NoSuchActor, OtherSystem, Ref, System, handles
from failsoft.messages import GenerationFailed
from failsoft.supervisors import Backoff, Intensity, Supervisor, child
from failsoft.testing import VirtualTimeLoop, VirtualTimeUvloop

from .sample_actors import Boom, Note, Notebook, Noted, quiet

pytestmark = pytest.mark.anyio


class Named(Notebook):
    async def on_start(self) -> None:
        self.context.register("the one")


async def spawn_named(system: System) -> Ref:
    await system.spawn(lambda: Supervisor([child("named", Named)]), "root")
    return system.ref("root/named")


async def test_a_name_follows_its_actor_through_restarts(system: System) -> None:
    """RT-19 The ref of before goes on working, and the actor may register anew."""
    ref = await spawn_named(system)
    found = system.whereis("the one")
    assert found == ref
    ref.tell(Boom(KeyError("x")))
    await quiet()
    assert system.whereis("the one") == ref
    found.tell(Note(1))
    assert await found.ask(Noted()) == [1]
    assert system.tree()[0].children[0].restarts == 1


async def test_a_name_that_is_taken(system: System) -> None:
    """RT-19 The error says who has it; the one who was first keeps it."""
    ref = await spawn_named(system)
    other = await system.spawn(Notebook, "other")
    with pytest.raises(NameTaken, match=r"'the one' is registered for root/named already") as error:
        system.registry.register("the one", other)
    assert error.value.path == "root/named"
    assert system.whereis("the one") == ref


async def test_the_names_of_an_actor_that_has_ended_are_free(system: System) -> None:
    """RT-19 All of them, at once, and nobody else's."""
    one = await system.spawn(Notebook, "one")
    two = await system.spawn(Notebook, "two")
    for name, ref in (("a", one), ("b", two), ("c", one)):
        system.registry.register(name, ref)
    await system.stop(one)
    assert system.registry.names() == {"b": two}
    system.registry.register("a", two)
    with pytest.raises(NoSuchActor, match="'one'; there is: two"):
        system.registry.register("c", one)


async def test_a_name_can_be_given_up(system: System) -> None:
    """RT-19 Then another may have it."""
    one = await system.spawn(Notebook, "one")
    two = await system.spawn(Notebook, "two")
    system.registry.register("a", one)
    system.registry.unregister("a")
    assert system.whereis("a") is None
    system.registry.register("a", two)
    with pytest.raises(NoSuchActor, match="there is no actor at 'b'; there is: a"):
        system.registry.unregister("b")
    with pytest.raises(ValueError, match="must not be empty"):
        system.registry.register("", one)


async def test_a_name_is_for_actors_of_the_system(system: System) -> None:
    """RT-19 Not of another one that runs beside it."""
    async with System() as beside:
        ref = await beside.spawn(Notebook, "a")
        with pytest.raises(OtherSystem, match="a lives in another system"):
            system.registry.register("a", ref)
        beside.registry.register("a", ref)
    assert system.whereis("a") is None


async def test_an_incarnation_that_has_ended_registers_nothing(system: System) -> None:
    """RT-19 A callback of it, say, that comes late."""
    actor = Notebook()
    ref = await system.spawn(lambda: actor, "a")
    await system.stop(ref)
    actor.context.register("late")
    assert system.registry.names() == {}


class Fragile(Actor):
    @handles(Boom)
    def boom(self, message: Boom) -> None:
        raise message.error


class RegistryMachine(RuleBasedStateMachine):
    """RT-19 Whatever is registered, given up, stopped and restarted: it is as in a dict."""

    loop: ClassVar[type[VirtualTimeLoop] | type[VirtualTimeUvloop]] = VirtualTimeLoop
    refs = Bundle[Ref]("refs")
    names = st.sampled_from("abcde")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=self.loop)
        self.known: dict[str, Ref] = {}
        self.ended: set[Ref] = set()
        self.count = 0

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(step)

    @initialize()
    def enter(self) -> None:
        self.up: asyncio.Future[System] = self.runner.get_loop().create_future()
        self.over = asyncio.Event()
        self.host = self.runner.get_loop().create_task(self.hold())
        self.system: System = self.run(asyncio.wait_for(self.up, 1))

    async def hold(self) -> None:
        """Have the system in a task that goes on from step to step."""
        async with System() as system:
            self.up.set_result(system)
            await self.over.wait()

    @rule(target=refs)
    def spawn(self) -> Ref:
        self.count += 1
        specs = [child("it", Fragile, restart="transient")]
        tree = Supervisor(specs, backoff=Backoff(base=0.1), intensity=Intensity(1000, 1))
        self.run(self.system.spawn(lambda: tree, f"root{self.count}"))
        return self.system.ref(f"root{self.count}/it")

    @rule(name=names, ref=refs)
    def register(self, name: str, ref: Ref) -> None:
        if ref in self.ended:
            error: type[Exception] | None = NoSuchActor
        else:
            error = NameTaken if self.known.get(name, ref) != ref else None
        if error is None:
            self.system.registry.register(name, ref)
            self.known[name] = ref
        else:
            with pytest.raises(error):
                self.system.registry.register(name, ref)

    @rule(name=names)
    def unregister(self, name: str) -> None:
        if self.known.pop(name, None) is not None:
            self.system.registry.unregister(name)
        else:
            with pytest.raises(NoSuchActor):
                self.system.registry.unregister(name)

    @rule(ref=refs)
    def crash(self, ref: Ref) -> None:
        ref.tell(Boom(GenerationFailed("it failed")))
        self.run(quiet())  # and time is left for the restart, or it isn't

    @rule()
    def wait(self) -> None:
        self.run(asyncio.sleep(100))

    @rule(ref=consumes(refs))
    def stop(self, ref: Ref) -> None:
        root = self.system.find(ref.path.removesuffix("/it"))
        assert root is not None
        self.run(self.system.stop(root))
        self.forget(ref)

    def forget(self, ref: Ref) -> None:
        self.ended.add(ref)
        self.known = {name: known for name, known in self.known.items() if known != ref}

    @invariant()
    def is_as_in_a_dict(self) -> None:
        if self.count:
            assert self.system.registry.names() == self.known
            assert {name: self.system.whereis(name) for name in "abcde"} == {
                name: self.known.get(name) for name in "abcde"
            }

    def teardown(self) -> None:
        self.over.set()
        self.run(asyncio.wait_for(self.host, 100))
        assert self.system.registry.names() == {}
        self.runner.close()


class RegistryMachineOnUvloop(RegistryMachine):
    loop = VirtualTimeUvloop


TestRegistryMachine = pytest.mark.usefixtures("plain_logs")(RegistryMachine.TestCase)
TestRegistryMachineOnUvloop = pytest.mark.usefixtures("plain_logs")(
    RegistryMachineOnUvloop.TestCase
)
