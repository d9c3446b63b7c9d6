"""Orders: what a supervisor is asked to do with single children while it runs.

Each order has one answer, which comes when the thing is done. A start that is ordered while
children are being started or restarted together takes part in that, where it widens, or comes
after it; never in between.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import assert_never

from failsoft.actors.errors import ActorStopped
from failsoft.actors.exit import SHUTDOWN, ExitReason
from failsoft.supervisors.errors import (
    ChildAlreadyPresent,
    ChildAlreadyStarted,
    ChildNotFound,
    ChildRestarting,
    ChildRunning,
)
from failsoft.supervisors.plan import Child, Phase, Plan, Stage
from failsoft.supervisors.planner import Planner
from failsoft.supervisors.spec import AutoShutdown, ChildSpec, check_significance
from failsoft.supervisors.steps import (
    AddChild,
    Answer,
    DropChild,
    Order,
    Refuse,
    StartAgain,
    StopChild,
)


@dataclass
class Orders(Planner):
    """Obey orders, or refuse them as OTP does."""

    auto_shutdown: AutoShutdown = field(default="never", kw_only=True)
    _ordered: deque[Child] = field(default_factory=deque, init=False)  # starts, yet to be begun

    def _obey(self, order: Order, now: float) -> None:
        match order:
            case StopChild(call, id):
                self._stop_child(call, id, now)
            case _ if self.ending is not None:
                self._refuse(order.call, ActorStopped(self.path, str(self.ending)))
            case AddChild(call, spec):
                self._add_child(call, spec)
            case StartAgain(call, id):
                self._start_again(call, id)
            case DropChild(call, id):
                self._drop_child(call, id)
            case _:
                assert_never(order)

    def _add_child(self, call: int, spec: ChildSpec) -> None:
        child = self.children.get(spec.id)
        path = f"{self.path}/{spec.id}"
        if child is not None:
            known = ChildAlreadyPresent if self._is_at_rest(child) else ChildAlreadyStarted
            self._refuse(call, known(path))
            return
        try:
            check_significance(spec, self.auto_shutdown)
        except ValueError as error:
            self._refuse(call, error)
            return
        child = self.children[spec.id] = Child(spec, is_new=True, ups=(call,))
        self._ordered.append(child)

    def _stop_child(self, call: int, id: str, now: float) -> None:
        child = self.children.get(id)
        if child is None:
            self._refuse(call, ChildNotFound(self.path, id))
        elif child.phase is not Phase.STOPPED:
            child.downs += (call,)
            if child.phase is not Phase.STOPPING and self.ending is None:
                self._actions.append(child.halt())
        elif self.ending is not None or self._is_at_rest(child):
            self._actions.append(Answer(call, id))
        else:
            child.downs += (call,)
            self._retire(child, SHUTDOWN, now)

    def _start_again(self, call: int, id: str) -> None:
        child = self._at_rest(call, id)
        if child is not None:
            child.ups += (call,)
            self._ordered.append(child)

    def _drop_child(self, call: int, id: str) -> None:
        if self._at_rest(call, id) is not None:
            del self.children[id]
            self._actions.append(Answer(call, id))

    def _retire(self, child: Child, reason: ExitReason, now: float) -> None:
        """Have done with a child that is down because of an order: its history is over."""
        if child in self._ordered:
            self._ordered.remove(child)
        child.starts = child.failures = child.cooled = 0
        child.until, child.is_new = None, False
        self._forget(child, reason, now)

    def _start_ordered(self, now: float) -> None:
        """Begin the starts that were ordered, once there is nothing that they would disturb."""
        while self._ordered and not self._is_busy:
            child = self._ordered.popleft()
            if child.ups and child.phase is Phase.STOPPED and not self.is_planned(child):
                plan = self._add_plan([child], Stage.STARTING)
                plan.is_ordered = True
                self._advance(plan, now)

    def _start_failed(self, child: Child, plan: Plan, reason: ExitReason, now: float) -> None:
        """Give up an ordered start; a child that is new is as if it had never been there."""
        is_new = child.is_new
        self._retire(child, reason, now)
        if is_new:
            self.children.pop(child.spec.id, None)

    def _refuse_all(self, error: Exception) -> None:
        """Tell all who wait for a start that there will be none."""
        self._ordered.clear()
        for child in self.children.values():
            self._actions += child.refuse_ups(error)

    def _refuse(self, call: int, error: Exception) -> None:
        self._actions.append(Refuse(call, error))

    @property
    def _is_busy(self) -> bool:
        return self._is_first_start or (self.strategy != "one_for_one" and bool(self._plans))

    def _is_at_rest(self, child: Child) -> bool:
        """Tell whether the child is down and nothing is to change that."""
        is_down = child.phase is Phase.STOPPED and not child.ups
        return is_down and not self.is_planned(child)

    def _at_rest(self, call: int, id: str) -> Child | None:
        """Give the child that is at rest; refuse the order where there is none such."""
        child = self.children.get(id)
        path = f"{self.path}/{id}"
        if child is None:
            self._refuse(call, ChildNotFound(self.path, id))
        elif self._is_at_rest(child):
            return child
        elif child.phase is Phase.STOPPED and self.is_planned(child):
            self._refuse(call, ChildRestarting(path))
        else:
            self._refuse(call, ChildRunning(path))
        return None
