"""Direct handlers: an idle actor's message is handled in its asker's turn, by all the laws."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from failsoft.actors import Actor, Ref, Reply, System, handles
from failsoft.actors.handlers import deferring_handler
from failsoft.messages import Request
from failsoft.messages.events import ActorFailed
from failsoft.supervisors import NO_WAIT, Supervisor, child

from .sample_actors import Boom, Note, Urgent, Work, quiet

pytestmark = pytest.mark.anyio


class Front(Actor):
    """Write down what it is asked, in order, and defer each answer; fail as told."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.replies: list[Reply[Any]] = []
        direct = deferring_handler(Front.accept, is_direct=True)
        self.message_handlers = {**self.message_handlers, Work: direct, Boom: direct}

    def accept(self, request: Request[Any]) -> Reply[Any]:
        if isinstance(request, Boom):
            raise request.error
        reply: Reply[Any] = self.context.defer()
        self.notes.append(f"{request.name} begins")  # type: ignore[attr-defined]
        self.context.ref.tell(Note("own note"))
        self.notes.append("and ends")
        self.replies.append(reply)
        return reply

    @handles(Note)
    def note(self, message: Note) -> None:
        self.notes.append(message.value)

    @handles(Urgent)
    def urgent(self, message: Urgent) -> None:
        self.notes.append(message.value)


@pytest.fixture
async def front(system: System) -> tuple[Front, Ref]:
    actor = Front()
    ref = await system.spawn(lambda: actor, "front")
    await quiet()
    return actor, ref


async def test_an_idle_actor_needs_no_turn_of_its_own(front: tuple[Front, Ref]) -> None:
    """It has the request in hand as soon as that is sent; what it tells itself comes later."""
    actor, ref = front
    asking = asyncio.ensure_future(ref.ask(Work("a")))
    await asyncio.sleep(0)  # the asker's turn, and no other
    assert actor.notes == ["a begins", "and ends"]
    await quiet()
    assert actor.notes == ["a begins", "and ends", "own note"]
    actor.replies[0].set("done")
    assert await asking == "done"


async def test_what_waits_goes_first(front: tuple[Front, Ref]) -> None:
    """RT-01 RT-03 A mailbox that holds something keeps its order, control before work."""
    actor, ref = front
    ref.tell(Note("first"))
    asking = asyncio.ensure_future(ref.ask(Work("second")))
    ref.tell(Urgent("control"))
    await quiet()
    assert actor.notes[:3] == ["control", "first", "second begins"]
    actor.replies[0].set("done")
    await asking


async def test_its_failure_is_its_own(system: System) -> None:
    """SV-01 The asker has the error, and the actor ends by it and is started anew."""
    failed: list[ActorFailed] = []
    system.events.subscribe(failed.append, ActorFailed)
    await system.spawn(lambda: Supervisor([child("front", Front)], backoff=NO_WAIT), "root")
    await quiet()
    with pytest.raises(KeyError):
        await system.ref("root/front").ask(Boom(KeyError("x")))
    await quiet()
    assert [event.path for event in failed] == ["root/front"]
    assert failed[0].path in {node.path for top in system.tree() for node in top.children}


async def test_one_who_is_answered_at_once_lets_others_have_their_turn(system: System) -> None:
    """A caller that asks again and again holds the loop up for nobody."""

    class Prompt(Front):
        def __init__(self) -> None:
            super().__init__()
            direct = deferring_handler(Prompt.answer, is_direct=True)
            self.message_handlers = {**self.message_handlers, Work: direct}

        def answer(self, _request: Request[Any]) -> Reply[Any]:
            reply: Reply[Any] = self.context.defer()
            reply.set("at once")
            return reply

    ref = await system.spawn(Prompt, "prompt")
    await quiet()
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    for _ in range(50):
        assert await ref.ask(Work()) == "at once"
    counting.cancel()
    assert turns >= 50
