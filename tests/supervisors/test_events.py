"""What a tree tells of itself is enough to know its state."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random

import pytest

from failsoft.actors import System, TreeFailed
from failsoft.messages.events import (
    ActorFailed,
    ActorStarted,
    ActorStopped,
    ActorStopping,
    ChildRestarted,
    ChildStarting,
    Event,
    RestartScheduled,
)
from failsoft.supervisors import Backoff, Intensity, supervisor

from .family import Fail, Family, Finish, quiet

pytestmark = pytest.mark.anyio


async def test_each_step_of_a_restart_is_an_event(system: System, events: list[Event]) -> None:
    """SV-22 With path, reason, attempt and delay."""
    family = Family(system)
    await system.spawn(family.supervisor("a", backoff=Backoff(3, jitter=False)), "root")
    family.tell("a", Fail("broken"))
    await asyncio.sleep(10)
    assert events == [
        ChildStarting(path="root/a", at=0),
        ActorStarted(path="root/a", at=0, incarnation=1),
        ActorStarted(path="root", at=0, incarnation=1),
        ActorStopping(path="root/a", at=0),
        ActorFailed(path="root/a", at=0, error="KeyError: 'broken'"),
        RestartScheduled(
            path="root/a",
            at=0,
            attempt=1,
            delay=3.0,
            reason="KeyError: 'broken'",
            together=("a",),
        ),
        ChildStarting(path="root/a", at=3),
        ActorStarted(path="root/a", at=3, incarnation=2),
        ChildRestarted(path="root/a", at=3, restarts=1),
    ]


def replay(events: Iterable[Event]) -> tuple[set[str], dict[str, float]]:
    """Give who is up, and who is waited for until when, as the events tell."""
    up: set[str] = set()
    waiting: dict[str, float] = {}
    for event in events:
        match event:
            case ActorStarted(path=path):
                up.add(path)
                waiting.pop(path, None)
            case ActorStopped(path=path) | ActorFailed(path=path):
                up.discard(path)
            case RestartScheduled(path=path, at=at, delay=delay):
                waiting[path] = at + delay
    return up, waiting


def present(system: System) -> tuple[set[str], dict[str, float]]:
    nodes = [node for top in system.tree() for node in top.walk()]
    shown = {
        f"{node.path}/{id}": child
        for node in nodes
        for id, child in node.shows.get("children", {}).items()
    }
    up = {node.path for node in nodes if node.state == "running"}
    return up, {path: child["until"] for path, child in shown.items() if child["until"]}


@pytest.mark.parametrize("seed", range(12))
async def test_the_events_replayed_give_the_present_state(
    seed: int, clean_loop: None, plain_logs: None
) -> None:
    """SV-22 After random failures and ends, in a nested tree, of every kind of child."""
    random = Random(seed)
    print(f"seed {seed}")  # pytest shows it where the test fails
    events: list[Event] = []

    async def run() -> None:
        async with System(random=random) as system:
            system.events.subscribe(events.append)
            family = Family(system)
            many = Intensity(100, 1)
            some = [family.spec("x"), family.spec("y", "transient"), family.spec("z")]
            inner = supervisor("inner", *some, strategy="one_for_all", intensity=many)
            rest = [family.spec("u"), family.spec("v", "temporary"), family.spec("w")]
            other = supervisor("other", *rest, strategy="rest_for_one", intensity=many)
            await system.spawn(family.supervisor([inner, family.spec("b"), other]), "root")
            names = ["inner/x", "inner/y", "inner/z", "b", "other/u", "other/v", "other/w"]
            for _ in range(60):
                name = random.choice(names)
                if (ref := system.find(f"root/{name}")) is not None:
                    ref.tell(random.choice([Fail(), Fail(), Finish()]))
                await asyncio.sleep(random.choice([0, 1e-9, 0.3, 2]))
                await quiet()
                up, waiting = replay(events)
                assert up == present(system)[0]
                now = system.clock.now()
                shown = present(system)[1]
                # Groups wait together; the event names the one whose failure it was.
                for path, until in waiting.items():
                    if until > now and path in shown:
                        assert shown[path] >= until
                    assert until <= now or path in shown
            await asyncio.sleep(1000)
            up, waiting = replay(events)
            assert up == present(system)[0]
            assert present(system)[1] == {}

    try:
        await run()
    except TreeFailed as failure:
        raise AssertionError("no failure was one too many") from failure
    assert replay(events)[0] == set()
