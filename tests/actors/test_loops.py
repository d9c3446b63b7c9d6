"""RT-22 Real time on asyncio's own loop and on uvloop: by events, without a sleep.

The other tests run on both in virtual time, whose loops have timers of their own and look whether
they are idle. What could differ from that is here: tasks and their cancellation, timers, contexts,
the order of callbacks, the end of it all.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from typing import Any

import pytest
import uvloop

from failsoft.actors import (
    Actor,
    ActorStopped,
    AskCycle,
    MailboxFull,
    Ping,
    Ref,
    Reply,
    System,
    Terminated,
    TreeFailed,
    bind_correlation_id,
    current_correlation_id,
    handles,
)
from failsoft.messages import GenerationFailed, InferenceTimeout, Message, Request
from failsoft.messages.events import ChildRestarted
from failsoft.supervisors import Backoff, Intensity, Supervisor, child
from failsoft.testing import EventRecorder

from .sample_actors import (
    Boom,
    Busy,
    Cancellable,
    Counting,
    Deferring,
    Interleaving,
    Note,
    Notebook,
    Noted,
    Numbers,
    Urgent,
    Work,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run in real time, on either loop."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def test_the_loop_is_the_one_that_was_asked_for(anyio_backend: tuple[str, Any]) -> None:
    """RT-22 Else the rest would prove nothing."""
    wanted = anyio_backend[1]["use_uvloop"]
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop) == wanted


async def test_order_and_lanes(system: System) -> None:
    """RT-22 RT-01 RT-04 RT-03: in order, control first, at the bound an error."""
    actor = Busy()
    ref = await system.spawn(lambda: actor, "a")
    ref.tell(Work("in hand"))
    await actor.started.wait()
    for number in range(999):
        ref.tell(Note(number))
    asked = asyncio.ensure_future(ref.ask(Noted()))
    await asyncio.sleep(0)
    with pytest.raises(MailboxFull):
        ref.tell(Note("too many"))
    ref.tell(Urgent("control"))
    actor.gate.set()
    assert await asked == ["start in hand", "end in hand", "control", *range(999)]


async def test_deadlines_and_cancellation(system: System) -> None:
    """RT-22 RT-06 RT-07: a handler that may be is cancelled, by its deadline and by its asker."""
    actor = Cancellable()
    ref = await system.spawn(lambda: actor, "a")
    with pytest.raises(InferenceTimeout):
        await ref.ask(Work("late"), timeout=0.1)
    actor.started.clear()
    asked = asyncio.ensure_future(ref.ask(Work("gone")))
    await actor.started.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert await ref.ask(Noted()) == ["start late", "end late", "start gone", "end gone"]
    assert ref.statistics().expired == 2


async def test_side_by_side_deferred_and_streamed(system: System) -> None:
    """RT-22 RT-17: jobs, answers that come later, and a reader that leaves."""
    beside, later, counting = Interleaving(), Deferring(), Counting()
    one = await system.spawn(lambda: beside, "one")
    two = await system.spawn(lambda: later, "two")
    three = await system.spawn(lambda: counting, "three")
    asked = [asyncio.ensure_future(ref.ask(Work(name))) for ref, name in ((one, "x"), (two, "y"))]
    await beside.started.wait()
    async with three.stream(Numbers(100), bound=2) as numbers:
        assert [await anext(numbers) for _ in range(5)] == [0, 1, 2, 3, 4]
    await three.ask(Ping())  # it is free again
    assert counting.is_closed
    assert counting.made < 10
    beside.gate.set()
    later.owed[0].set("y")
    assert await asyncio.gather(*asked) == ["x", "y"]


class Ticking(Actor):
    """Tick some times, and say when that is done."""

    def __init__(self) -> None:
        self.ticks = 0
        self.reply: Reply[str] | None = None

    @handles(Note)
    def tick(self, _message: Note) -> None:
        self.ticks += 1
        if self.ticks == 3:
            self.context.cancel_timers()
            self.context.send_after(0, Urgent("done"))

    @handles(Urgent)
    def done(self, _message: Urgent) -> None:
        assert self.reply is not None
        self.reply.set(f"{self.ticks} ticks")

    @handles(Work)
    def work(self, _message: Work) -> Reply[str]:
        self.context.send_every(0.001, Note(None))
        self.reply = self.context.defer()
        return self.reply


async def test_timers(system: System) -> None:
    """RT-22 RT-15: periodic, and called off from within; one tick may be on its way by then."""
    ref = await system.spawn(Ticking, "a")
    assert await ref.ask(Work()) in ("3 ticks", "4 ticks")


async def test_what_a_sender_has_bound(system: System) -> None:
    """RT-22 RT-24: seen by the handler, and not by the next message."""

    class Who(Request[str | None], frozen=True):
        pass

    class Telling(Actor):
        @handles(Who)
        async def who(self, _message: Who) -> str | None:
            await asyncio.sleep(0)
            return current_correlation_id()

    ref = await system.spawn(Telling, "a")

    async def ask(name: str) -> str | None:
        bind_correlation_id(name)
        return await ref.ask(Who())

    assert await asyncio.gather(*(ask(name) for name in "abc")) == ["a", "b", "c"]
    empty = asyncio.get_running_loop().create_task(ref.ask(Who()), context=contextvars.Context())
    assert await empty is None


class Watching(Notebook):
    def __init__(self, ref: Ref) -> None:
        super().__init__()
        self._ref = ref
        self.ended = asyncio.Event()

    async def on_start(self) -> None:
        self.context.watch(self._ref)

    @handles(Terminated)
    def terminated(self, message: Terminated) -> None:
        self.notes.append(str(message.reason))
        self.ended.set()


async def test_restarts_watches_and_the_end(system: System) -> None:
    """RT-22 RT-13 RT-19 RT-11: a failure, a restart, a stop with a request in the queue."""
    events = EventRecorder(system)
    actors: list[Busy] = []

    def make() -> Busy:
        actors.append(Busy())
        return actors[-1]

    backoff = Backoff(base=0.001, cap=0.001)
    root = await system.spawn(lambda: Supervisor([child("a", make)], backoff=backoff), "root")
    ref = system.ref("root/a")
    watching = Watching(ref)
    await system.spawn(lambda: watching, "watching")
    system.registry.register("it", ref)
    with pytest.raises(GenerationFailed):
        await ref.ask(Boom(GenerationFailed("it failed")))
    await events.wait_for(ChildRestarted, path="root/a")
    assert system.whereis("it") == ref
    asked = [asyncio.ensure_future(ref.ask(Work(name))) for name in "ab"]
    await actors[1].started.wait()
    assert ref.statistics().work_depth == 1
    await system.stop(root, within=0)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ActorStopped] * 2
    await watching.ended.wait()
    assert len(watching.notes) == 1
    assert system.whereis("it") is None
    events.close()


async def test_a_cycle(system: System) -> None:
    """RT-22 RT-16."""

    class Cyclic(Notebook):
        @handles(Work)
        async def work(self, message: Work) -> str:
            return await self.context.ref.ask(message)

    ref = await system.spawn(Cyclic, "a")
    with pytest.raises(AskCycle):
        await ref.ask(Work())


@pytest.mark.usefixtures("clean_loop", "plain_logs")
async def test_a_failure_at_the_top_and_a_cancelled_host() -> None:
    """RT-22 RT-20: the block is left, and every actor has ended."""
    actors = [Busy(), Busy()]

    async def run(fails: bool) -> None:
        async with System() as system:
            ref = await system.spawn(lambda: actors[fails], "a")
            ref.tell(Boom(KeyError("x")) if fails else Work())
            await asyncio.Event().wait()

    with pytest.raises(TreeFailed):
        await run(fails=True)
    host = asyncio.ensure_future(run(fails=False))
    await actors[False].started.wait()
    host.cancel()
    actors[False].gate.set()
    with pytest.raises(asyncio.CancelledError):
        await host
    assert [str(actor.reason) for actor in actors] == ["shutdown", "KeyError: 'x'"]


class Step(Message, frozen=True):
    fails: bool


class Stepping(Actor):
    mailbox_bound = 100_000

    def __init__(self, counts: Counter[str], done: asyncio.Event) -> None:
        self._counts = counts
        self._done = done

    @handles(Step)
    def step(self, message: Step) -> None:
        self._counts["failed" if message.fails else "handled"] += 1
        if self._counts.total() == 2000:
            self._done.set()
        if message.fails:
            raise GenerationFailed("it failed")


async def test_many_actors_that_fail_all_the_time(system: System) -> None:
    """RT-22 RT-21: each message is handled once, through all the restarts."""
    counts: Counter[str] = Counter()
    done = asyncio.Event()
    specs = [child(f"a{number}", lambda: Stepping(counts, done)) for number in range(50)]
    backoff, many = Backoff(base=1e-6, cap=1e-6), Intensity(10**6, 1)
    await system.spawn(lambda: Supervisor(specs, backoff=backoff, intensity=many), "root")
    refs = [system.ref(f"root/a{number}") for number in range(50)]
    for number in range(2000):
        refs[number % 50].tell(Step(fails=number % 7 == 0))
    await done.wait()
    assert counts["failed"] == 286
    assert system.dead_letters.total == 0
