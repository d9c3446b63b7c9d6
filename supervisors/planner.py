"""The planner: a supervisor's children, the plans under way, and how a plan goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from failsoft.actors.errors import StartFailed
from failsoft.actors.exit import ExitReason
from failsoft.supervisors.plan import Child, Phase, Plan, Stage
from failsoft.supervisors.spec import ChildSpec, Strategy
from failsoft.supervisors.steps import (
    Action,
    Answer,
    CalledOff,
    End,
    Forget,
    Start,
    Up,
    Wait,
)

# What can be stopped.
_UP = (Phase.STARTING, Phase.RUNNING)


@dataclass
class Planner:
    """Carry out plans: stop their children, wait, start them. The actions gather in order.

    ends_together: at the supervisor's own end all children are stopped side by side.
    """

    specs: Sequence[ChildSpec]
    strategy: Strategy
    path: str = field(default="", kw_only=True)
    ends_together: bool = field(default=False, kw_only=True)
    children: dict[str, Child] = field(default_factory=dict, init=False)
    ending: ExitReason | None = field(default=None, init=False)
    _plans: list[Plan] = field(default_factory=list, init=False)
    _plans_made: int = field(default=0, init=False)
    _actions: list[Action] = field(default_factory=list, init=False)

    def waiting(self, plan: int) -> tuple[str, ...]:
        """Give the ids of the children that will be started once the plan's wait is over."""
        return tuple(c.spec.id for p in self._plans if p.number == plan for c in p.children)

    def is_planned(self, child: Child) -> bool:
        """Tell whether a plan has the child, to be stopped, started or restarted."""
        return self._plan_of(child) is not None

    @property
    def _is_first_start(self) -> bool:
        return any(plan.is_first for plan in self._plans)

    def _plan_of(self, child: Child) -> Plan | None:
        return next((plan for plan in self._plans if child in plan.children), None)

    def _add_plan(self, children: list[Child], stage: Stage) -> Plan:
        self._plans_made += 1
        plan = Plan(self._plans_made, children, stage)
        self._plans.append(plan)
        return plan

    def _call_off(self, plan: Plan) -> None:
        self._plans.remove(plan)
        for child in plan.children:
            child.until = None
        self._actions.append(CalledOff(plan.number))

    def _advance(self, plan: Plan, now: float) -> None:
        """Do what the plan's stage allows now."""
        if plan.stage is Stage.STOPPING and not self._stop_next(plan):
            if self.ending is not None:
                self._actions.append(End(self.ending))
                return
            self._wait(plan, now)
        if plan.stage is Stage.STARTING and not self._start_next(plan):
            self._plans.remove(plan)
            if plan.is_first:
                self._actions.append(Up())

    def _stop_next(self, plan: Plan) -> bool:
        """See that the next child is being stopped; False where all are down."""
        child = plan.next_to_stop()
        if child is None:
            return False
        is_together = self.ends_together and self.ending is not None
        stopped = reversed(plan.children) if is_together else (child,)
        self._actions += [each.halt() for each in stopped if each.phase in _UP]
        return True

    def _wait(self, plan: Plan, now: float) -> None:
        assert plan.cause is not None
        plan.stage = Stage.WAITING
        for child in plan.children:
            child.until = now + plan.delay
        failing, reason = plan.cause
        self._actions.append(
            Wait(plan.number, plan.delay, failing.spec.id, failing.failures, reason)
        )

    def _start_next(self, plan: Plan) -> bool:
        """See that the next child is being started; False where all are up."""
        child = plan.next_to_start()
        if child is not None and child.phase is Phase.STOPPED:
            child.phase = Phase.STARTING
            self._actions.append(Start(child.spec.id))
        return child is not None

    # -- who is down for good

    def _forget(self, child: Child, reason: ExitReason, now: float) -> None:
        """Have the child's place closed, and its plan go on without it."""
        if child.spec.restart == "temporary":
            del self.children[child.spec.id]
        self._actions.append(Forget(child.spec.id, reason))
        self._tell_down(child)
        path = f"{self.path}/{child.spec.id}"
        self._actions += child.refuse_ups(StartFailed(path, reason.error or str(reason)))
        self._leave(child, now)

    def _leave(self, child: Child, now: float) -> None:
        """Take the child out of its plan, where it has one; that goes on with the others."""
        plan = self._plan_of(child)
        if plan is None:
            return
        plan.children.remove(child)
        if not plan.children and self.ending is None:
            if plan.stage is Stage.WAITING:
                self._actions.append(CalledOff(plan.number))
            plan.stage = Stage.STARTING
        self._advance(plan, now)

    def _tell_down(self, child: Child) -> None:
        self._actions += [Answer(call, child.spec.id) for call in child.downs]
        child.downs = ()
