"""The state machine of a dynamic supervisor: many children, each on its own.

Each event costs the same however many children there are. A child that ends for good, or is
stopped, is forgotten: only who runs, or is being restarted, is known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import assert_never

from failsoft.actors.errors import ActorStopped, StartFailed
from failsoft.actors.exit import SHUTDOWN, ExitReason, failed
from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.errors import (
    ChildAlreadyStarted,
    ChildNotFound,
    IntensityExceeded,
    NotForDynamic,
    TooManyChildren,
)
from failsoft.supervisors.intensity import Intensity, RestartWindow
from failsoft.supervisors.machine import is_restarted
from failsoft.supervisors.plan import Child, Phase
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
    Forget,
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

STRATEGY = "dynamic"


@dataclass
class DynamicMachine:
    """Supervise children of one kind. The number of a wait stands where another has a plan's."""

    intensity: Intensity
    backoff: Backoff
    random: Random
    max_children: int
    path: str = field(default="", kw_only=True)
    strategy: str = field(default=STRATEGY, init=False)
    children: dict[str, Child] = field(default_factory=dict, init=False)
    ending: ExitReason | None = field(default=None, init=False)
    _waits: dict[int, Child] = field(default_factory=dict, init=False)
    _numbers: dict[Child, int] = field(default_factory=dict, init=False)
    _waits_made: int = field(default=0, init=False)
    _actions: list[Action] = field(default_factory=list, init=False)
    _window: RestartWindow = field(init=False)

    def __post_init__(self) -> None:
        self._window = RestartWindow(self.intensity)

    def step(self, event: SupervisorInput, now: float) -> list[Action]:
        """Take in what happened; give what to do about it, in order."""
        match event:
            case Begin():
                self._actions.append(Up())
            case Started(id):
                self._started(id, now)
            case Exited(id, reason):
                self._exited(id, reason, now)
            case Due(number):
                self._due(number)
            case Shutdown(reason):
                self._shut_down(reason)
            case AddChild() | StopChild() | StartAgain() | DropChild():
                self._obey(event)
            case _:
                assert_never(event)
        actions, self._actions = self._actions, []
        return actions

    def waiting(self, plan: int) -> tuple[str, ...]:
        """Give the id of the child that will be started once the wait is over."""
        child = self._waits.get(plan)
        return () if child is None else (child.spec.id,)

    def is_planned(self, child: Child) -> bool:
        """Tell whether the child waits for its restart."""
        return child in self._numbers

    # -- what happened

    def _started(self, id: str, now: float) -> None:
        child = self.children.get(id)
        if child is None or child.phase is not Phase.STARTING:
            return
        self._actions += child.come_up(now)

    def _exited(self, id: str, reason: ExitReason, now: float) -> None:
        child = self.children.get(id)
        if child is None or child.phase is Phase.STOPPED:
            return
        before, child.phase = child.phase, Phase.STOPPED
        if self.ending is not None:
            self._forget(child, reason)
            self._end_if_empty()
        elif child.downs or child.is_new or not is_restarted(child.spec, reason):
            self._forget(child, reason)
        else:
            self._restart(child, reason, now - child.up_since, before is Phase.RUNNING, now)

    def _due(self, number: int) -> None:
        child = self._waits.get(number)
        if child is not None:
            self._end_wait(child)
            self._start(child)

    def _shut_down(self, reason: ExitReason) -> None:
        if self.ending is not None:
            return
        self.ending = reason
        for child in tuple(self.children.values()):
            self._actions += child.refuse_ups(ActorStopped(self.path, str(reason)))
            if child.phase is Phase.STOPPED:
                self._call_off(child)
                self._forget(child, SHUTDOWN)
            elif child.phase is not Phase.STOPPING:
                self._actions.append(child.halt())
        self._end_if_empty()

    # -- restarts

    def _restart(
        self, child: Child, reason: ExitReason, up_for: float, was_up: bool, now: float
    ) -> None:
        backoff = child.spec.backoff or self.backoff
        child.fail(backoff, up_for if was_up else 0.0)
        if self._window.add(now):
            self._shut_down(failed(IntensityExceeded(self.path, child.spec.id, reason)))
            return
        delay = backoff.delay(child.failures, self.random)
        self._waits_made += 1
        self._waits[self._waits_made] = child
        self._numbers[child] = self._waits_made
        child.until = now + delay
        self._actions.append(Wait(self._waits_made, delay, child.spec.id, child.failures, reason))

    def _end_wait(self, child: Child) -> int:
        number = self._numbers.pop(child)
        del self._waits[number]
        child.until = None
        return number

    def _call_off(self, child: Child) -> None:
        if child in self._numbers:
            self._actions.append(CalledOff(self._end_wait(child)))

    # -- orders

    def _obey(self, order: Order) -> None:
        match order:
            case StopChild(call, id):
                self._stop_child(call, id)
            case AddChild(call, spec):
                self._add_child(call, Child(spec, is_new=True, ups=(call,)))
            case StartAgain(call):
                self._refuse(call, NotForDynamic(self.path, "RestartChild"))
            case DropChild(call):
                self._refuse(call, NotForDynamic(self.path, "DeleteChild"))
            case _:
                assert_never(order)

    def _add_child(self, call: int, child: Child) -> None:
        id = child.spec.id
        if self.ending is not None:
            self._refuse(call, ActorStopped(self.path, str(self.ending)))
        elif id in self.children:
            self._refuse(call, ChildAlreadyStarted(f"{self.path}/{id}"))
        elif len(self.children) >= self.max_children:
            self._refuse(call, TooManyChildren(self.path, self.max_children))
        else:
            self.children[id] = child
            self._start(child)

    def _stop_child(self, call: int, id: str) -> None:
        child = self.children.get(id)
        if child is None:
            self._refuse(call, ChildNotFound(self.path, id))
            return
        child.downs += (call,)
        if child.phase is Phase.STOPPED:
            self._call_off(child)
            self._forget(child, SHUTDOWN)
        elif child.phase is not Phase.STOPPING:
            self._actions.append(child.halt())

    # -- what to do

    def _start(self, child: Child) -> None:
        child.phase = Phase.STARTING
        self._actions.append(Start(child.spec.id))

    def _forget(self, child: Child, reason: ExitReason) -> None:
        id = child.spec.id
        del self.children[id]
        self._actions.append(Forget(id, reason))
        self._actions += [Answer(call, id) for call in child.downs]
        path = f"{self.path}/{id}"
        self._actions += child.refuse_ups(StartFailed(path, reason.error or str(reason)))

    def _refuse(self, call: int, error: Exception) -> None:
        self._actions.append(Refuse(call, error))

    def _end_if_empty(self) -> None:
        if not self.children and self.ending is not None:
            self._actions.append(End(self.ending))
