"""The supervisor's state machine alone, driven through random lives of its children."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.actors import KILLED, NORMAL, SHUTDOWN, ExitReason
from failsoft.actors.exit import failed
from failsoft.supervisors import Backoff, ChildSpec, Intensity, Strategy, Supervisor
from failsoft.supervisors.errors import IntensityExceeded, StartRolledBack
from failsoft.supervisors.machine import Machine
from failsoft.supervisors.plan import Phase
from failsoft.supervisors.steps import (
    Action,
    Begin,
    CalledOff,
    Due,
    End,
    Exited,
    Forget,
    Halt,
    Shutdown,
    Start,
    Started,
    SupervisorInput,
    Up,
    Wait,
)

FAILED = failed(KeyError("x"))
RESTARTS = ("permanent", "transient", "temporary")
STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")


def machine_of(
    restarts: list[str], strategy: Strategy = "one_for_one", max_restarts: int = 1000
) -> Machine:
    specs = [
        ChildSpec(id=f"c{number}", start=lambda: Supervisor([]), restart=restart)  # type: ignore[arg-type]
        for number, restart in enumerate(restarts)
    ]
    return Machine(specs, strategy, Intensity(max_restarts, 5.0), Backoff(), Random(1), path="root")


@dataclass
class World:
    """Be the children and the timers, as the machine's actions make them; check each action.

    alive: child → ``starting``, ``running``, or ``stopping`` (it was told to).
    """

    machine: Machine
    now: float = 0.0
    alive: dict[str, str] = field(default_factory=dict)
    waits: dict[int, float] = field(default_factory=dict)
    is_up: bool = False
    ended: ExitReason | None = None
    is_ending: bool = False
    forgotten: set[str] = field(default_factory=set)

    def step(self, event: SupervisorInput) -> None:
        actions = self.machine.step(event, self.now)
        if self.machine.ending is not None:
            self.is_ending = True
        for action in actions:
            self.do(action)
        self.check()

    def do(self, action: Action) -> None:
        assert self.ended is None, f"{action} after the end"
        match action:
            case Start(id):
                assert id not in self.alive, f"{id} was started twice"
                assert not self.is_ending, f"{id} was started while ending"
                assert self.is_one_for_one or "starting" not in self.alive.values(), (
                    "not one by one"
                )
                self.alive[id] = "starting"
                self.forgotten.discard(id)
            case Halt(id):
                assert self.alive[id] in ("starting", "running")
                after = self.order[self.order.index(id) + 1 :]
                if self.is_ending or not self.is_one_for_one:
                    assert not any(other in self.alive for other in after), "out of order"
                self.alive[id] = "stopping"
            case Forget(id, _):
                assert id not in self.alive
                self.forgotten.add(id)
            case Wait(plan, delay):
                assert plan not in self.waits
                assert 0 <= delay <= 60
                self.waits[plan] = self.now + delay
            case CalledOff(plan):
                self.waits.pop(plan, None)
            case Up():
                assert not self.is_up
                self.is_up = True
            case End(reason):
                assert not self.alive
                assert not self.waits
                self.ended = reason

    @property
    def order(self) -> list[str]:
        return [spec.id for spec in self.machine.specs]

    @property
    def is_one_for_one(self) -> bool:
        return self.machine.strategy == "one_for_one"

    def check(self) -> None:
        phases = {id: child.phase for id, child in self.machine.children.items()}
        for id, phase in phases.items():
            assert self.alive.get(id, "stopped") == phase.value

    # -- what the children do, in the order in which an actor would hear of it

    def started(self, id: str) -> None:
        self.alive[id] = "running"
        self.step(Started(id))

    def exited(self, id: str, reason: ExitReason) -> None:
        del self.alive[id]
        self.step(Exited(id, reason))

    def due(self, plan: int) -> None:
        self.now = max(self.now, self.waits.pop(plan))
        self.step(Due(plan))

    def settle(self) -> None:
        """Have everything asked for done: starts succeed, stops end, waits pass."""
        for _ in range(1000):
            starting = [id for id, state in self.alive.items() if state == "starting"]
            stopping = [id for id, state in self.alive.items() if state == "stopping"]
            if starting:
                self.started(starting[0])
            elif stopping:
                self.exited(stopping[0], SHUTDOWN)
            elif self.waits:
                self.due(min(self.waits, key=lambda plan: self.waits[plan]))
            else:
                return
        raise AssertionError("it doesn't come to rest")


events = st.sampled_from(["start", "end", "end", "normal", "stop", "due", "due", "time"])


@st.composite
def lives(draw: st.DrawFn) -> tuple[World, list[tuple[str, int]]]:
    restarts = draw(st.lists(st.sampled_from(RESTARTS), min_size=1, max_size=5))
    strategy = draw(st.sampled_from(STRATEGIES))
    most = draw(st.sampled_from([1000, 1000, 3]))
    what = draw(st.lists(st.tuples(events, st.integers(0, 100)), max_size=40))
    return World(machine_of(restarts, strategy, most)), what  # type: ignore[arg-type]


def live(world: World, what: list[tuple[str, int]]) -> None:
    """Let things happen, each where it can; stop where the supervisor has ended."""
    world.step(Begin())
    for event, choice in what:
        if world.ended is not None:
            return
        groups: dict[str, list[Any]] = {
            "start": [id for id, state in world.alive.items() if state == "starting"],
            "end": list(world.alive),
            "normal": [id for id, state in world.alive.items() if state == "running"],
            "stop": [id for id, state in world.alive.items() if state == "stopping"],
            "due": list(world.waits),
        }
        chosen = groups.get(event, [])
        if event == "time":
            world.now += choice / 10
        elif chosen:
            one = chosen[choice % len(chosen)]
            match event:
                case "start":
                    world.started(str(one))
                case "end":
                    world.exited(str(one), KILLED if choice % 2 else FAILED)
                case "normal":
                    world.exited(str(one), NORMAL)
                case "stop":
                    world.exited(str(one), SHUTDOWN)
                case "due":
                    world.due(int(one))


@given(lives())
def test_whatever_happens_the_machine_comes_to_rest(
    life: tuple[World, list[tuple[str, int]]],
) -> None:
    """SV-16 No two starts without an exit between; then every child that is wanted is up."""
    world, what = life
    live(world, what)
    world.settle()
    if world.ended is not None:
        return
    assert world.is_up
    wanted = [id for id in world.machine.children if id not in world.forgotten]
    assert [id for id in world.order if id in world.alive] == wanted
    assert not any(
        spec.restart == "permanent" and spec.id not in wanted for spec in world.machine.specs
    )
    assert set(world.alive.values()) <= {"running"}


@given(lives(), st.integers(0, 100))
def test_a_shutdown_always_comes_to_its_end(
    life: tuple[World, list[tuple[str, int]]], extra: int
) -> None:
    """SV-18 At any time; in reverse order; nobody is started any more; the reason is kept."""
    world, what = life
    live(world, what)
    was_ending = world.machine.ending
    if world.ended is None:
        world.step(Shutdown(SHUTDOWN))
    live_on(world, what[: extra % 10])
    world.settle()
    assert world.ended == (was_ending or SHUTDOWN)
    assert not world.alive


def live_on(world: World, what: list[tuple[str, int]]) -> None:
    for _event, choice in what:
        if world.ended is None and world.alive:
            ids = list(world.alive)
            world.exited(ids[choice % len(ids)], FAILED)


@given(lives())
def test_a_machine_that_gives_up_says_why(life: tuple[World, list[tuple[str, int]]]) -> None:
    """SV-05 A failed first start, or too many restarts: there is no third reason."""
    world, what = life
    live(world, what)
    if world.machine.ending is not None:
        error = world.machine.ending.error
        assert isinstance(error, (StartRolledBack, IntensityExceeded))
        assert error.__cause__ is FAILED.error or error.__cause__ is None
        assert not (isinstance(error, StartRolledBack) and world.is_up)


def test_the_word_of_a_wait_that_was_replaced_does_nothing() -> None:
    """SV-16 It may have been on its way already; the new wait isn't cut short by it."""
    world = World(machine_of(["permanent", "permanent"], "rest_for_one"))
    world.step(Begin())
    world.settle()
    world.exited("c1", FAILED)
    (stale,) = world.waits
    world.exited("c0", FAILED)
    assert stale not in world.waits
    world.step(Due(stale))
    assert world.alive == {}
    world.settle()
    assert world.alive == {"c0": "running", "c1": "running"}


def test_what_is_not_expected_changes_nothing() -> None:
    """SV-16 An unknown child, a start that was not asked for, an end that was heard of."""
    world = World(machine_of(["permanent"]))
    world.step(Begin())
    world.settle()
    for event in (Started("c0"), Started("nobody"), Exited("nobody", FAILED), Due(7)):
        assert world.machine.step(event, 0) == []
    del world.alive["c0"]
    world.step(Exited("c0", FAILED))
    assert world.machine.step(Exited("c0", FAILED), 0) == []
    assert world.machine.children["c0"].phase is Phase.STOPPED


def test_a_cool_down_needs_one_for_one() -> None:
    """SV-05 With a group it would leave healthy siblings down."""
    with pytest.raises(ValueError, match="one_for_one alone"):
        Machine([], "one_for_all", Intensity(), Backoff(), Random(1), cool_down=1)


def test_a_cool_down_doubles_without_overflow() -> None:
    """SV-05 A child that has failed for a week is still only left alone for ten minutes."""
    machine = machine_of(["permanent"], max_restarts=0)
    machine.cool_down = 1.0
    machine.step(Begin(), 0)
    machine.step(Started("c0"), 0)
    delays = []
    for _ in range(1100):
        (*_, wait) = machine.step(Exited("c0", FAILED), 0)
        assert isinstance(wait, Wait)
        delays.append(wait.delay)
        assert machine.step(Due(wait.plan), 0) == [Start("c0")]
        machine.step(Started("c0"), 0)
    assert delays[:4] == [1, 2, 4, 8]
    assert max(delays) == 600
