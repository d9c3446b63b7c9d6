"""Statistics: what an actor and a system say of themselves is so."""

from __future__ import annotations

import asyncio

import pytest

from failsoft.actors import ActorStatistics, System, handles
from failsoft.messages import GenerationFailed, InferenceTimeout, Message
from failsoft.messages.events import ActorStarted
from failsoft.supervisors import Backoff, Supervisor, child

from .sample_actors import Boom, Busy, Deferring, Interleaving, Note, Notebook, Work, quiet

pytestmark = pytest.mark.anyio


class Aside(Message, frozen=True):
    """Be put aside."""


class Keeping(Busy):
    @handles(Aside)
    def aside(self, _message: Aside) -> None:
        self.context.stash()


async def test_an_actor_counts_what_it_does_and_has_before_it(system: System) -> None:
    """RT-14 All of it at one moment, which passes: the picture doesn't change."""
    ref = await system.spawn(Keeping, "a")
    fresh = ref.statistics()
    for message in (Note(1), Aside(), Aside()):
        ref.tell(message)
    await asyncio.sleep(5)
    ref.tell(Work())
    await asyncio.sleep(2)
    ref.tell(Note(2))
    with pytest.raises(InferenceTimeout):
        await ref.ask(Work(), timeout=1)
    assert ref.statistics() == ActorStatistics(
        path="a",
        state="running",
        since=0,
        restarts=0,
        handled=1,
        failed=0,
        expired=0,
        control_depth=0,
        work_depth=2,
        stashed=2,
        interleaving=0,
        owed=0,
        busy_since=5,
    )
    assert (fresh.handled, fresh.busy_since) == (0, None)


async def test_what_runs_side_by_side_and_what_is_owed_is_counted(system: System) -> None:
    """RT-14 And no more once it is done."""
    interleaving, deferring = Interleaving(), Deferring()
    one = await system.spawn(lambda: interleaving, "one")
    two = await system.spawn(lambda: deferring, "two")
    asked = [asyncio.ensure_future(ref.ask(Work())) for ref in (one, one, two)]
    await quiet()
    assert one.statistics().interleaving == 2
    assert one.statistics().busy_since is None
    assert two.statistics().owed == 1
    interleaving.gate.set()
    deferring.owed[0].set("done")
    await asyncio.gather(*asked)
    await quiet()
    assert (one.statistics().interleaving, one.statistics().handled) == (0, 2)
    assert two.statistics().owed == 0


async def test_a_count_goes_on_through_restarts_and_after_the_end(system: System) -> None:
    """RT-14 The ref knows what became of its actor."""
    root = await system.spawn(lambda: Supervisor([child("a", Notebook)], backoff=Backoff()), "root")
    ref = system.ref("root/a")
    for _ in range(2):
        ref.tell(Note(1))
        ref.tell(Boom(GenerationFailed("it failed")))
        await quiet()
        assert ref.statistics().state == "down"
        await asyncio.sleep(100)
    counts = ref.statistics()
    assert (counts.handled, counts.failed, counts.restarts) == (2, 2, 2)
    await system.stop(root)
    assert ref.statistics().state == "closed"
    assert ref.statistics().failed == 2


async def test_a_system_counts_its_actors_and_what_was_lost(system: System) -> None:
    """RT-14 By state, and by reason."""
    assert system.statistics().actors == {}
    for name in "ab":
        await system.spawn(Interleaving, name)
    await system.spawn(lambda: Supervisor([child("c", Notebook)], backoff=Backoff()), "root")
    ended = await system.spawn(Notebook, "ended")
    await system.stop(ended)
    ended.tell(Note(1))
    system.ref("a").tell(Work())
    system.registry.register("the one", system.ref("a"))
    subscription = system.events.subscribe(lambda _event: None, ActorStarted)
    await system.spawn(Busy, "busy")
    system.ref("root/c").tell(Boom(GenerationFailed("it failed")))
    for _ in range(3):
        system.ref("busy").tell(Work())
    await asyncio.sleep(1e-6)
    found = system.statistics()
    assert found.at == system.clock.now()
    assert found.actors == {"running": 4, "down": 1}
    assert found.tasks == 5  # one of each actor that runs, and the handler that interleaves
    assert found.waiting == 2
    assert found.names == 1
    assert found.dead_letters == {"actor stopped": 1}
    assert found.subscribers == 1
    assert found.events_published >= 1
    subscription.cancel()
    assert system.statistics().subscribers == 0
