"""The state machines alone, under orders that come in any order with whatever else happens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from failsoft.actors import NORMAL, SHUTDOWN, Actor
from failsoft.actors.exit import failed
from failsoft.supervisors import Backoff, ChildSpec, Intensity, Strategy
from failsoft.supervisors.dynamic_machine import DynamicMachine
from failsoft.supervisors.machine import Machine
from failsoft.supervisors.plan import Phase
from failsoft.supervisors.steps import (
    Action,
    AddChild,
    Answer,
    Begin,
    CalledOff,
    DropChild,
    Due,
    End,
    Exited,
    Halt,
    Order,
    Refuse,
    Shutdown,
    Start,
    StartAgain,
    Started,
    StopChild,
    SupervisorInput,
    Up,
    Wait,
)

FAILED = failed(KeyError("x"))
MANY = Intensity(1000, 5.0)

restarts = st.sampled_from(["permanent", "transient", "temporary"])
ids = st.sampled_from("abcde")
# What happens next: a child's start is done, one ends in some way, a wait is over, or an order.
happenings = st.one_of(
    st.tuples(st.sampled_from(["up", "fail", "finish", "due"]), st.integers(0, 9), restarts),
    st.tuples(st.sampled_from(["add", "stop", "again", "drop"]), st.integers(0, 4), restarts),
)


def spec(id: str, restart: str) -> ChildSpec:
    return ChildSpec(id=id, start=Actor, restart=restart)  # type: ignore[arg-type]


@dataclass
class World:
    """Be the children, the timers and those who wait for answers."""

    machine: Machine | DynamicMachine
    now: float = 0.0
    alive: dict[str, str] = field(default_factory=dict)
    waits: set[int] = field(default_factory=set)
    asked: dict[int, Order] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    is_up: bool = False
    has_ended: bool = False

    def step(self, event: SupervisorInput) -> list[Action]:
        self.now += 0.1
        actions = self.machine.step(event, self.now)
        for action in actions:
            self.do(action)
        for id, child in self.machine.children.items():
            assert self.alive.get(id, "stopped") == child.phase.value
        return actions

    def do(self, action: Action) -> None:
        match action:
            case Start(id):
                assert id not in self.alive
                assert self.machine.ending is None
                if self.is_group:
                    assert "starting" not in self.alive.values(), "not one by one"
                    assert not self.stopping_for_a_restart(), "in the midst of a restart"
                    assert not self.waits, "in the midst of a restart"
                self.alive[id] = "starting"
            case Halt(id):
                assert self.alive[id] in ("starting", "running")
                self.alive[id] = "stopping"
            case Wait(plan):
                self.waits.add(plan)
            case CalledOff(plan):
                self.waits.discard(plan)
            case Up():
                assert not self.is_up
                self.is_up = True
            case Answer(call, id):
                self.answered(call)
                self.is_done(self.asked[call], id)
            case Refuse(call):
                self.answered(call)
            case End():
                assert not self.alive
                assert not self.waits
                assert not self.has_ended
                self.has_ended = True

    def answered(self, call: int) -> None:
        self.answers[call] += 1
        assert self.answers[call] == 1, "answered twice"

    def is_done(self, order: Order, id: str) -> None:
        """See that what was ordered is done when it is said so."""
        match order:
            case AddChild() | StartAgain():
                assert self.alive[id] == "running"
            case StopChild() | DropChild():
                assert id not in self.alive
                assert not isinstance(order, DropChild) or id not in self.machine.children

    @property
    def is_group(self) -> bool:
        return self.machine.strategy in ("one_for_all", "rest_for_one")

    def stopping_for_a_restart(self) -> set[str]:
        """Give who is being stopped without an order to that effect."""
        open_orders = (order for call, order in self.asked.items() if not self.answers[call])
        ordered = {order.id for order in open_orders if isinstance(order, StopChild)}
        return {id for id, state in self.alive.items() if state == "stopping"} - ordered

    # -- what happens

    def happen(self, kind: str, number: int, restart: str) -> None:
        id = "abcde"[number % 5]
        call = len(self.asked) + 1
        match kind:
            case "up":
                self.up(number)
            case "fail" | "finish":
                self.exit(number, kind)
            case "due":
                if self.waits:
                    self.due(sorted(self.waits)[number % len(self.waits)])
            case "add":
                self.order(AddChild(call, spec(id, restart)))
            case "stop":
                self.order(StopChild(call, id))
            case "again":
                self.order(StartAgain(call, id))
            case "drop":
                self.order(DropChild(call, id))

    def order(self, order: Order) -> None:
        self.asked[order.call] = order
        self.step(order)

    def up(self, number: int) -> None:
        starting = [id for id, state in self.alive.items() if state == "starting"]
        if starting:
            id = starting[number % len(starting)]
            self.alive[id] = "running"
            self.step(Started(id))

    def exit(self, number: int, kind: str) -> None:
        if self.alive:
            id = list(self.alive)[number % len(self.alive)]
            was = self.alive.pop(id)
            reason = FAILED if kind == "fail" else SHUTDOWN if was == "stopping" else NORMAL
            self.step(Exited(id, reason))

    def due(self, plan: int) -> None:
        self.waits.remove(plan)
        self.step(Due(plan))

    def settle(self) -> None:
        for _ in range(1000):
            stopping = [id for id, state in self.alive.items() if state == "stopping"]
            if "starting" in self.alive.values():
                self.up(0)
            elif stopping:
                del self.alive[stopping[0]]
                self.step(Exited(stopping[0], SHUTDOWN))
            elif self.waits:
                self.due(min(self.waits))
            else:
                return
        raise AssertionError("it doesn't come to rest")


def machine_of(strategy: Strategy | str) -> Machine | DynamicMachine:
    backoff = Backoff()
    if strategy == "dynamic":
        return DynamicMachine(MANY, backoff, Random(1), 4, path="root")
    specs = [spec("a", "permanent"), spec("b", "transient"), spec("c", "temporary")]
    return Machine(specs, strategy, MANY, backoff, Random(1), path="root")  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one", "dynamic"])
@given(steps=st.lists(happenings, max_size=60), is_ended=st.booleans())
def test_each_order_has_one_answer_and_what_it_says_is_so(
    strategy: str, steps: list[tuple[str, int, str]], is_ended: bool
) -> None:
    """SV-20 SV-19 Nobody is started twice or in the midst of a restart, and all comes to rest."""
    world = World(machine_of(strategy))
    world.step(Begin())
    for kind, number, restart in steps:
        if not world.has_ended:
            world.happen(kind, number, restart)
    if is_ended and not world.has_ended:
        world.step(Shutdown(SHUTDOWN))
    world.settle()
    assert world.has_ended is (world.machine.ending is not None)
    assert set(world.answers) == set(world.asked)
    if not world.has_ended:
        assert world.is_up
        for child in world.machine.children.values():
            assert child.phase in (Phase.RUNNING, Phase.STOPPED)
            assert not world.machine.is_planned(child)
            assert child.until is None


def test_orders_that_take_one_another_back_do_not_pile_up() -> None:
    """SV-17 While a restart waits, a child is added and stopped over and over."""
    machine = Machine(
        [spec("a", "permanent")], "one_for_all", MANY, Backoff(), Random(1), path="root"
    )
    world = World(machine)
    world.step(Begin())
    world.happen("up", 0, "")
    world.happen("fail", 0, "")
    world.happen("add", 1, "permanent")
    for _ in range(10):
        world.happen("stop", 1, "")
        world.happen("again", 1, "")
    assert len(machine._ordered) == 1
    world.settle()
    assert world.alive == {"a": "running", "b": "running"}
    assert set(world.answers) == set(world.asked)


def test_a_child_that_was_dropped_leaves_no_failures_to_its_successor() -> None:
    """SV-05 What a new one by its name does is its own; and nothing is kept of who is gone."""
    machine = Machine([], "one_for_one", Intensity(1, 5.0), Backoff(), Random(1), cool_down=60.0)
    machine.step(Begin(), 0.0)

    def fails() -> list[Action]:
        machine.step(AddChild(0, spec("a", "permanent")), 0.0)
        machine.step(Started("a"), 0.0)
        return machine.step(Exited("a", FAILED), 0.0)

    waits = []
    for _ in range(3):
        waits += [action.delay for action in fails() if isinstance(action, Wait)]
        machine.step(StopChild(0, "a"), 0.0)
        machine.step(DropChild(0, "a"), 0.0)
    assert len(waits) == 3
    assert max(waits) < 60
