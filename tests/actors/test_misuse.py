"""What a user does wrong is told where it is done, with what to do instead."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from failsoft.actors import (
    SHUTDOWN,
    Actor,
    ActorInUse,
    NotAMessage,
    NotAwaited,
    StartFailed,
    StoppedItself,
    System,
    SystemNotRunning,
    UnknownMessage,
    WrongThread,
    handles,
)
from failsoft.actors.errors import EndedInStart
from failsoft.messages import Message, Request
from failsoft.supervisors import Supervisor, child

from .sample_actors import Note, Notebook, Noted, Numbers, Work, quiet

pytestmark = pytest.mark.anyio


class Unheard(Message, frozen=True):
    pass


async def send(way: str, ref: Any, message: Any) -> None:
    if way == "tell":
        ref.tell(message)
    else:
        await ref.ask(message)


@pytest.mark.parametrize("way", ["tell", "ask"])
async def test_what_an_actor_does_not_know(system: System, way: str) -> None:
    """It is refused at the sender, who is told what is known."""
    ref = await system.spawn(Notebook, "a")
    known = r"a has no @handles\(Unheard\) handler; it has: Boom, Note, Noted, Ping, Urgent"
    with pytest.raises(UnknownMessage, match=known):
        await send(way, ref, Unheard())


@pytest.mark.parametrize("way", ["tell", "ask"])
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("hello", "a was sent a str; send an instance of a class that derives from Message"),
        (None, "a was sent a NoneType; send an instance"),
        (Note, r"a was sent the class Note itself; send one of it: Note\(…\)"),
    ],
    ids=["text", "nothing", "class"],
)
async def test_what_is_no_message(system: System, way: str, sent: object, said: str) -> None:
    """It is refused at the sender, also before the actor is up."""
    ref = await system.spawn(Notebook, "a")
    with pytest.raises(NotAMessage, match=said):
        await send(way, ref, sent)
    cell = system.add_cell(Notebook, "b", None)
    with pytest.raises(NotAMessage):
        await send(way, cell.ref, sent)
    cell.close(SHUTDOWN)


async def test_a_stream_of_what_is_no_message(system: System) -> None:
    """It is refused as the others are."""
    ref = await system.spawn(Notebook, "a")
    with pytest.raises(UnknownMessage, match=r"@streams\(Numbers\)"):
        ref.stream(Numbers(3))
    with pytest.raises(NotAMessage, match="a was sent a str"):
        ref.stream("numbers")  # type: ignore[arg-type]


async def test_an_ask_that_is_not_awaited_sends_nothing(system: System) -> None:
    """Python says where; and nobody works for nobody."""
    actor = Notebook()
    ref = await system.spawn(lambda: actor, "a")

    def forget() -> None:
        ref.ask(Noted())  # type: ignore[unused-coroutine]

    with pytest.warns(RuntimeWarning, match=r"coroutine 'Ref.ask' was never awaited"):
        forget()
    await quiet()
    assert ref.statistics().handled == 0


@pytest.mark.parametrize("way", ["tell", "ask"])
async def test_a_plain_handler_that_returns_a_coroutine(system: System, way: str) -> None:
    """It forgot ``async``: the asker is told, the actor has failed, and Python has no warning."""

    class Forgetful(Notebook):
        async def look(self) -> str:
            return "never"

        @handles(Work)
        def work(self, _message: Work) -> Any:
            return self.look()

    errors: list[str] = []
    system.events.subscribe(lambda event: errors.append(getattr(event, "error", "")))
    await system.spawn(lambda: Supervisor([child("a", Forgetful)]), "root")
    said = r"Forgetful\.work of root/a is a plain method, and returned a coroutine; make it `async"
    sending = send(way, system.ref("root/a"), Work())
    if way == "tell":
        await sending
    else:
        with pytest.raises(NotAwaited, match=said):
            await sending
    await quiet()
    gc.collect()
    assert any("is a plain method, and returned a coroutine" in error for error in errors)


async def test_a_system_outside_of_its_block(clean_loop: None) -> None:
    """Before, after, and a second time."""
    system = System()
    with pytest.raises(SystemNotRunning, match="isn't running yet; enter its block first: `async"):
        await system.spawn(Notebook, "a")
    async with system:
        await system.spawn(Notebook, "a")
        with pytest.raises(SystemNotRunning, match="one block"):
            await system.__aenter__()
    with pytest.raises(SystemNotRunning, match="has ended"):
        await system.spawn(Notebook, "a")
    with pytest.raises(SystemNotRunning, match="make another"):
        await system.__aenter__()


async def test_a_child_of_an_ended_actor(system: System) -> None:
    """Its incarnation has ended; whoever still has its context is told so."""
    actor = Notebook()
    ref = await system.spawn(lambda: actor, "a")
    await system.stop(ref)
    with pytest.raises(RuntimeError, match="this incarnation of a has ended; it can spawn no chil"):
        actor.context.spawn(Notebook, "child")


async def test_one_actor_in_two_places(system: System) -> None:
    """Also in two systems: each would take the other's context for its own."""
    actor = Notebook()
    ref = await system.spawn(lambda: actor, "a")
    with pytest.raises(StartFailed) as error:
        await system.spawn(lambda: actor, "b")
    assert isinstance(error.value.__cause__, ActorInUse)
    assert "the factory of b gave the very actor that lives at a" in str(error.value)
    async with System() as other:
        with pytest.raises(StartFailed, match="lives at a"):
            await other.spawn(lambda: actor, "c")
    assert await ref.ask(Noted()) == []
    await system.stop(ref)
    await system.spawn(lambda: actor, "b")


async def test_a_system_in_an_actor_of_another(system: System) -> None:
    """It is allowed, and on its own: its end and its failures are its block's."""

    class Host(Actor):
        @handles(Work)
        async def work(self, message: Work) -> str:
            async with System() as inner:
                ref = await inner.spawn(Notebook, "a")
                ref.tell(Note(message.name))
                (note,) = await ref.ask(Noted())
                assert inner.find("host") is None
                assert len(inner.tree()) == 1
            assert not ref.is_alive
            return str(note)

    ref = await system.spawn(Host, "host")
    assert await ref.ask(Work("inside")) == "inside"
    assert [node.path for node in system.tree()] == ["host"]


class Stops(Request[None], frozen=True):
    path: str


class Suicidal(Actor):
    @handles(Stops)
    async def stop(self, message: Stops) -> None:
        with pytest.raises(StoppedItself, match=f"can't wait for the end of {message.path}"):
            await self.context.system.stop(self.context.system.ref(message.path))


class Parent(Suicidal):
    async def on_start(self) -> None:
        self.context.spawn(Suicidal, "child")


async def test_an_actor_that_stops_itself_from_outside(system: System) -> None:
    """Or one above it: it would wait for its own end, until it is killed."""
    await system.spawn(Parent, "a")
    await system.spawn(Suicidal, "ab")
    await quiet()
    await system.ref("a").ask(Stops("a"))
    await system.ref("a/child").ask(Stops("a"))
    assert system.clock.now() < 1
    await system.stop(system.ref("ab"))


@pytest.mark.parametrize("end", ["exit", "stop"])
async def test_an_actor_that_ends_itself_as_it_starts(system: System, end: str) -> None:
    """The spawn fails, with the line where that was."""

    class Hasty(Actor):
        async def on_start(self) -> None:
            if end == "exit":
                self.context.exit()
            else:
                await self.context.system.stop(self.context.ref)

    with pytest.raises(StartFailed) as error:
        await system.spawn(Hasty, "a")
    assert isinstance(error.value.__cause__, EndedInStart if end == "exit" else StoppedItself)


async def test_a_message_from_another_thread(system: System) -> None:
    """It is refused where it is sent, with the way that works."""
    ref = await system.spawn(Notebook, "a")
    loop = asyncio.get_running_loop()
    raised: list[BaseException] = []

    def tell() -> None:
        try:
            ref.tell(Note("lost"))
        except WrongThread as error:
            raised.append(error)
        loop.call_soon_threadsafe(ref.tell, Note("found"))

    thread = threading.Thread(target=tell)
    thread.start()
    thread.join()
    assert "use `loop.call_soon_threadsafe(ref.tell, message)`" in str(raised[0])
    assert await ref.ask(Noted()) in ([], ["found"])
    assert await ref.ask(Noted()) == ["found"]


def test_a_handler_of_what_is_no_message() -> None:
    """It is refused when the class is made."""
    with pytest.raises(TypeError, match=r"@handles\(str\): a message is a class that derives from"):
        handles(str)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"write @handles\(TheMessage\)"):

        @handles  # type: ignore[call-overload]
        def handler(self: Any, message: Note) -> None: ...


def test_two_handlers_of_one_message() -> None:
    """It is refused when the class is made; to override one by any name is no mistake."""

    class First(Actor):
        @handles(Note)
        def one(self, message: Note) -> None: ...

    class Second(First):
        @handles(Note)
        def two(self, message: Note) -> None: ...

    with pytest.raises(TypeError, match=r"Third has two handlers of Note: one, two"):

        class Third(Actor):
            @handles(Note)
            def one(self, message: Note) -> None: ...

            @handles(Note)
            def two(self, message: Note) -> None: ...
