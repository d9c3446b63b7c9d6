"""Replicas that come and go while requests are answered."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

import pytest
from tests.supervisors.routing.crowd_actors import Log, asking, fixed, settled, timed
from tests.supervisors.routing.router_actors import BROKEN, HELLO, loading, of_kind, scripted

from failsoft.actors import Actor, Ref, System
from failsoft.actors.mailbox import Envelope
from failsoft.actors.reply import StreamReply
from failsoft.messages import GenerateText
from failsoft.messages.answered import Answered
from failsoft.messages.events import Event
from failsoft.messages.pool_events import (
    ReplicaAdded,
    ReplicaDenied,
    ReplicaRemoved,
    RolloutEnded,
)
from failsoft.supervisors import (
    Backoff,
    Intensity,
    StartChild,
    WhichCandidates,
    candidate,
    child,
    router,
)
from failsoft.supervisors.pool import (
    Autoscale,
    Pool,
    PoolBusy,
    Recipe,
    ReplicaFailed,
    Resize,
    Rollout,
    RolloutFailed,
)

pytestmark = pytest.mark.anyio

CANARY = GenerateText("canary", max_tokens=1)


async def spawn_pool(
    system: System, start: Callable[[], Actor], replicas: int = 2, **options: object
) -> Ref:
    recipe = Recipe(start, replicas)
    ref = await system.spawn(lambda: Pool(recipe, **options), "pool")  # type: ignore[arg-type]
    await settled()
    return ref


async def ids(ref: Ref) -> list[str]:
    return [info.id for info in await ref.ask(WhichCandidates())]


async def all_answer(ref: Ref, callers: int, stop: asyncio.Event) -> list[str]:
    """Ask without a pause, from so many sides, until told to stop; give all answers."""
    answers: list[str] = []

    async def call(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            answers.append((await ref.ask(GenerateText(f"{number}.{count}"))).text)

    async with asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(call(number))
    return answers


# -- orders


async def test_a_pool_grows_by_order(system: System, events: list[Event]) -> None:
    ref = await spawn_pool(system, loading(3, script=["A"]))
    assert await ref.ask(Resize(4), timeout=30) == 4
    assert await ids(ref) == ["1", "2", "3", "4"]
    assert [event.replicas for event in of_kind(events, ReplicaAdded)] == [3, 4]


async def test_a_pool_shrinks_by_order_and_what_is_in_hand_is_finished(
    system: System, events: list[Event]
) -> None:
    log = Log()
    ref = await spawn_pool(system, timed(log, 10), replicas=3)
    tasks = [await asking(ref, str(number), timeout=60) for number in range(9)]
    assert await ref.ask(Resize(1), timeout=60) == 1
    assert sorted(reply.text for reply in await asyncio.gather(*tasks)) == list("012345678")
    assert len(await ids(ref)) == 1
    assert [event.replicas for event in of_kind(events, ReplicaRemoved)] == [2, 1]


async def test_the_least_busy_replica_goes(system: System) -> None:
    log = Log()
    ref = await spawn_pool(system, timed(log, 100), replicas=2)
    task = await asking(ref, "one", timeout=200)
    busy = next(info.id for info in await ref.ask(WhichCandidates()) if info.in_flight)
    await ref.ask(Resize(1))
    assert await ids(ref) == [busy]
    assert (await task).text == "one"


async def test_a_replica_that_can_not_load_is_taken_out_again(
    system: System, events: list[Event]
) -> None:
    """Say, for want of memory."""
    loads: list[float | Exception] = [0, 0, MemoryError("no room for it")]
    ref = await spawn_pool(system, loading(*loads, script=["A"]))
    with pytest.raises(ReplicaFailed, match="no room for it"):
        await ref.ask(Resize(3), timeout=60)
    await settled()
    assert await ids(ref) == ["1", "2"]
    assert len(of_kind(events, ReplicaDenied)) == 1
    assert (await ref.ask(HELLO)).text == "A"


async def test_a_replica_that_is_never_ready_is_taken_out_again(system: System) -> None:
    ref = await spawn_pool(system, loading(0, 0, 1000, script=["A"]))
    with pytest.raises(ReplicaFailed, match="not ready in 5 s"):
        await ref.ask(Resize(3, ready_limit=5), timeout=60)
    await settled()
    assert await ids(ref) == ["1", "2"]


async def test_one_order_at_a_time(system: System) -> None:
    ref = await spawn_pool(system, loading(0, 0, 10, script=["A"]))
    first = asyncio.ensure_future(ref.ask(Resize(3), timeout=60))
    await settled()
    with pytest.raises(PoolBusy, match="being resized"):
        await ref.ask(Rollout())
    await first
    rollout = asyncio.ensure_future(ref.ask(Rollout(), timeout=120))
    await settled()
    with pytest.raises(PoolBusy, match="being rolled out"):
        await ref.ask(Resize(1))
    assert await rollout == 3


async def test_no_replica_at_all_is_refused(system: System) -> None:
    ref = await spawn_pool(system, scripted("A"))
    with pytest.raises(ValueError, match="at least one replica"):
        await ref.ask(Resize(0))


async def test_a_pool_that_is_restarted_is_as_large_as_it_was(system: System) -> None:
    recipe = Recipe(scripted("A"), 1)
    ref = await system.spawn(lambda: Pool(recipe), "pool")
    await settled()
    await ref.ask(Resize(3))
    await ref.ask(Rollout(scripted("B")))
    await system.stop(ref)
    again = await system.spawn(lambda: Pool(recipe), "again")
    await settled()
    assert len(await ids(again)) == 3
    assert (await again.ask(HELLO)).text == "B"


@pytest.mark.parametrize("seconds", [-1.0, 0.0, float("inf"), float("nan")])
def test_a_limit_that_makes_no_sense_is_refused(seconds: float) -> None:
    """It would be the pool's own failure, and with it that of all replicas."""
    with pytest.raises(ValueError, match="ready_limit must be over 0 s"):
        Resize(3, ready_limit=seconds)
    with pytest.raises(ValueError, match="ready_limit must be over 0 s"):
        Rollout(ready_limit=seconds)


async def test_a_replica_that_is_down_goes_first(system: System) -> None:
    ref = await spawn_pool(system, scripted("A"), backoff=Backoff(base=1000, jitter=False))
    system.ref("pool/1").address.crash(RuntimeError("crash"))  # type: ignore[attr-defined]
    await settled()
    await ref.ask(Resize(1))
    assert await ids(ref) == ["2"]
    assert (await ref.ask(HELLO)).text == "A"


async def test_a_pool_that_grew_in_part_is_as_large_when_it_is_restarted(system: System) -> None:
    recipe = Recipe(loading(0, 0, MemoryError("no room for it"), script=["A"]), 1)
    ref = await system.spawn(lambda: Pool(recipe), "pool")
    await settled()
    with pytest.raises(ReplicaFailed):
        await ref.ask(Resize(3), timeout=60)
    assert recipe.replicas == 2


async def test_a_replica_of_somebodys_own_keeps_its_name(system: System) -> None:
    """An operator added it, by the name that the next one would have."""
    ref = await spawn_pool(system, scripted("A"))
    await ref.ask(StartChild(child("3", scripted("B"))))
    assert await ref.ask(Resize(4), timeout=30) == 4
    assert await ids(ref) == ["1", "2", "3", "4"]


# -- rollouts


async def test_a_rollout_replaces_all_and_loses_nothing(
    system: System, events: list[Event]
) -> None:
    """Callers never pause; each gets the answer to its own question."""
    old, new, stop = Log(), Log(), asyncio.Event()
    ref = await spawn_pool(system, timed(old, 0.3), replicas=3)
    load = asyncio.ensure_future(all_answer(ref, 12, stop))
    await asyncio.sleep(2)
    assert await ref.ask(Rollout(timed(new, 0.3)), timeout=120) == 3
    before = len(old.prompts)
    await asyncio.sleep(2)
    stop.set()
    answers = await load
    assert len(old.prompts) == before
    assert sorted(answers) == sorted(old.prompts + new.prompts)
    assert len(set(answers)) == len(answers)
    assert [(event.replicas, event.reason) for event in of_kind(events, RolloutEnded)] == [(3, "")]


async def test_a_rollout_without_a_start_restarts_all(system: System) -> None:
    made: list[int] = []

    def start() -> Actor:
        made.append(len(made))
        return scripted("A")()

    ref = await spawn_pool(system, start, replicas=2)
    assert await ref.ask(Rollout()) == 2
    assert len(made) == 4
    assert await ids(ref) == ["3", "4"]


async def test_there_are_never_fewer_ready_than_at_the_start(system: System) -> None:
    ref = await spawn_pool(system, loading(0, script=["A"]), replicas=2)
    rollout = asyncio.ensure_future(ref.ask(Rollout(loading(3, script=["B"])), timeout=60))
    ready = []
    while not rollout.done():
        ready.append(sum(info.is_ready for info in await ref.ask(WhichCandidates())))
        await asyncio.sleep(0.5)
    assert min(ready) == 2


async def test_where_a_new_replica_can_not_load_all_is_as_before(system: System) -> None:
    ref = await spawn_pool(system, scripted("A"))
    new = loading(RuntimeError("bad weights"), script=["B"])
    with pytest.raises(RolloutFailed, match="bad weights; all replicas are as they were"):
        await ref.ask(Rollout(new))
    await settled()
    assert await ids(ref) == ["1", "2"]
    assert {(await ref.ask(HELLO)).text for _ in range(8)} == {"A"}


async def test_where_the_second_fails_the_first_is_replaced_back(system: System) -> None:
    ref = await spawn_pool(system, scripted("A"))
    new = loading(0, RuntimeError("bad weights"), script=["B"])
    with pytest.raises(RolloutFailed, match="all replicas are as they were"):
        await ref.ask(Rollout(new), timeout=60)
    await settled()
    assert len(await ids(ref)) == 2
    assert {(await ref.ask(HELLO)).text for _ in range(8)} == {"A"}
    assert await ref.ask(Rollout(scripted("C"))) == 2
    assert {(await ref.ask(HELLO)).text for _ in range(8)} == {"C"}


async def test_a_canary_that_fails_ends_the_rollout(system: System) -> None:
    """It loads, and can't answer: nobody's request goes there."""
    seen: list[str] = []
    ref = await spawn_pool(system, scripted("A"))
    with pytest.raises(RolloutFailed, match="failed its canary: broken"):
        await ref.ask(Rollout(scripted(BROKEN, seen=seen), canary=CANARY))
    await settled()
    assert seen == ["canary"]
    assert {(await ref.ask(HELLO)).text for _ in range(8)} == {"A"}


async def test_a_canary_that_is_answered_lets_the_replica_in(system: System) -> None:
    seen: list[str] = []
    ref = await spawn_pool(system, scripted("A"))
    await ref.ask(Rollout(scripted("B", seen=seen), canary=CANARY))
    assert seen == ["canary", "canary"]
    assert {(await ref.ask(HELLO)).text for _ in range(8)} == {"B"}


async def test_a_canary_that_hangs_ends_the_rollout_in_time(system: System) -> None:
    ref = await spawn_pool(system, scripted("A"))
    hangs = scripted(asyncio.Event(), "never")
    with pytest.raises(RolloutFailed):
        await ref.ask(Rollout(hangs, canary=CANARY, ready_limit=20), timeout=60)
    assert (await ref.ask(HELLO)).text == "A"


async def test_an_old_replica_that_crashes_meanwhile_is_replaced_all_the_same(
    system: System,
) -> None:
    ref = await spawn_pool(
        system, scripted("A"), backoff=Backoff(base=1000), intensity=Intensity(max_restarts=50)
    )
    rollout = asyncio.ensure_future(ref.ask(Rollout(loading(5, script=["B"])), timeout=60))
    await settled()
    system.ref("pool/1").address.crash(RuntimeError("crash"))  # type: ignore[attr-defined]
    await settled()
    assert await rollout == 2
    assert await ids(ref) == ["3", "4"]


async def test_a_pool_that_is_stopped_amid_a_rollout_leaves_nobody_waiting(
    system: System,
) -> None:
    ref = await spawn_pool(system, scripted("A"))
    rollout = asyncio.ensure_future(ref.ask(Rollout(loading(50, script=["B"])), timeout=200))
    await settled()
    await system.stop(ref)
    assert isinstance((await asyncio.gather(rollout, return_exceptions=True))[0], Exception)


# -- autoscaling


async def spawn_routed(system: System, start: Callable[[], Actor], autoscale: Autoscale) -> Ref:
    """Start a pool behind a router that lets it have one request at a time: the others queue."""
    make = functools.partial(Pool, Recipe(start, autoscale.least), autoscale=autoscale)
    spec = router("text", candidate("pool", make, is_pool=True, admission=fixed(1)))
    await system.spawn(spec.start, "text")
    await settled()
    return system.ref("text/pool")


async def crowd(system: System, seconds: int) -> None:
    """Have requests come faster than they are answered, as long as their deadlines allow."""
    text = system.ref("text")
    tasks = [await asking(text, str(number), timeout=seconds) for number in range(3 * seconds)]
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_pool_grows_under_load_and_shrinks_after_it(
    system: System, events: list[Event]
) -> None:
    autoscale = Autoscale(least=1, most=3, longest_wait=0.5, window=4, idle=20, cooldown=5)
    ref = await spawn_routed(system, timed(Log(), 1), autoscale)
    await crowd(system, 30)
    assert len(await ids(ref)) == 3
    await asyncio.sleep(80)
    assert len(await ids(ref)) == 1
    assert len(of_kind(events, ReplicaAdded)) == 2
    assert len(of_kind(events, ReplicaRemoved)) == 2


async def test_a_pool_that_has_no_room_stays_as_it_is(system: System, events: list[Event]) -> None:
    autoscale = Autoscale(least=1, most=3, window=4, cooldown=5, denied=50)
    left: list[Callable[[], Actor]] = [timed(Log(), 1)]

    def start() -> Actor:
        if not left:
            raise MemoryError("no room")
        return left.pop()()

    ref = await spawn_routed(system, start, autoscale)
    await crowd(system, 60)
    assert await ids(ref) == ["1"]
    assert len(of_kind(events, ReplicaDenied)) == 2


async def test_an_orders_limit_is_not_that_of_what_the_load_brings(
    system: System, events: list[Event]
) -> None:
    autoscale = Autoscale(least=1, most=2, longest_wait=0.5, window=4, cooldown=5)
    loads = each_of(timed(Log(), 1), loading(3, script=["A"]))
    ref = await spawn_routed(system, loads, autoscale)
    await ref.ask(Resize(1, ready_limit=1))
    await crowd(system, 20)
    assert len(of_kind(events, ReplicaAdded)) == 1
    assert not of_kind(events, ReplicaDenied)


async def test_a_stream_that_goes_on_has_not_waited(system: System, events: list[Event]) -> None:
    """It is long since it was asked for, but it was in work."""
    autoscale = Autoscale(least=1, most=2, window=4)
    ref = await spawn_routed(system, timed(Log(), 1), autoscale)
    await asyncio.sleep(50)
    request = GenerateText("story", answered=Answered((1,), "Once "))
    old = StreamReply(ref.address, system.clock.now() + 50, system.clock.now() - 50)
    ref.address.put(Envelope(request, old))
    await asyncio.sleep(10)
    assert not of_kind(events, ReplicaAdded)


def each_of(*makers: Callable[[], Actor]) -> Callable[[], Actor]:
    left = list(makers)
    return lambda: (left.pop(0) if len(left) > 1 else left[0])()
