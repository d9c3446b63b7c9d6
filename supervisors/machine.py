"""The state machine of a supervisor: events in, actions out. No I/O, no tasks, no clock.

Work on children goes by plans. A plan is a set of children that are first stopped (in reverse
order, one by one), then left alone for a while (backoff), then started (in order, one by one).
The first start is a plan, each restart is one, and the shutdown is one that never starts again.
With ``one_for_one`` a failed child has a plan of its own, beside those of others; with the other
strategies there is at most one plan, and a failure on the way widens it and starts it over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import assert_never

from failsoft.actors.errors import ActorStopped
from failsoft.actors.exit import SHUTDOWN, ExitReason, failed
from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.errors import IntensityExceeded, StartRolledBack
from failsoft.supervisors.intensity import Intensity, RestartWindow
from failsoft.supervisors.orders import Orders
from failsoft.supervisors.plan import Child, Phase, Plan, Stage
from failsoft.supervisors.spec import ChildSpec, check_family
from failsoft.supervisors.steps import (
    Action,
    AddChild,
    Begin,
    Completed,
    CooledDown,
    DropChild,
    Due,
    Exited,
    Shutdown,
    StartAgain,
    Started,
    StopChild,
    SupervisorInput,
)

_LONGEST_COOL_DOWN = 600.0
_MOST_DOUBLINGS = 32  # of a cool-down; past any sensible bound


@dataclass
class Machine(Orders):
    """Supervise children. ``step`` takes an event and the time, and gives what to do.

    cool_down: seconds for which a child that exceeds the intensity is left alone, doubled each
        time in a row, at most 10 minutes; None escalates instead, as OTP does. For
        ``one_for_one`` only.
    """

    intensity: Intensity
    backoff: Backoff
    random: Random
    cool_down: float | None = field(default=None, kw_only=True)
    _windows: dict[str | None, RestartWindow] = field(default_factory=dict, init=False)
    _is_completed: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        check_family(self.specs, self.strategy, self.auto_shutdown, self.cool_down)
        self.children = {spec.id: Child(spec) for spec in self.specs}

    def step(self, event: SupervisorInput, now: float) -> list[Action]:
        """Take in what happened; give what to do about it, in order."""
        match event:
            case Begin():
                plan = self._add_plan(list(self.children.values()), Stage.STARTING)
                plan.is_first = True
                self._advance(plan, now)
            case Started(id):
                self._started(id, now)
            case Exited(id, reason):
                self._exited(id, reason, now)
            case Due(number):
                self._due(number, now)
            case Shutdown(reason):
                self._shut_down(reason, now)
            case AddChild() | StopChild() | StartAgain() | DropChild():
                self._obey(event, now)
            case _:
                assert_never(event)
        if self._is_completed and not self._is_first_start:
            self._shut_down(SHUTDOWN, now)
        self._start_ordered(now)
        actions, self._actions = self._actions, []
        return actions

    # -- what happened

    def _started(self, id: str, now: float) -> None:
        child = self.children.get(id)
        if child is None or child.phase is not Phase.STARTING:
            return
        self._actions += child.come_up(now)
        plan = self._plan_of(child)
        if plan is not None:
            self._advance(plan, now)

    def _exited(self, id: str, reason: ExitReason, now: float) -> None:
        child = self.children.get(id)
        if child is None or child.phase is Phase.STOPPED:
            return
        before, child.phase = child.phase, Phase.STOPPED
        plan = self._plan_of(child)
        if child.downs and self.ending is None:
            self._retire(child, reason, now)
        elif plan is not None and plan.stage is Stage.STOPPING:
            self._tell_down(child)
            if child.spec.restart == "temporary" and self.ending is None:
                self._forget(child, reason, now)
            else:
                self._advance(plan, now)
        elif plan is not None and plan.is_first and before is Phase.STARTING:
            cause = StartRolledBack(self.path, id, reason.error or str(reason))
            self._shut_down(failed(cause), now)
        elif plan is not None and plan.is_ordered and before is Phase.STARTING:
            self._start_failed(child, plan, reason, now)
        elif is_restarted(child.spec, reason):
            was_up_for = now - child.up_since if before is Phase.RUNNING else 0.0
            self._restart(child, reason, was_up_for, now)
        else:
            self._forget(child, reason, now)
            self._heed_significance(child)

    def _due(self, number: int, now: float) -> None:
        for plan in self._plans:
            if plan.number == number and plan.stage is Stage.WAITING:
                plan.stage = Stage.STARTING
                for child in plan.children:
                    child.until = None
                self._advance(plan, now)
                return

    def _heed_significance(self, child: Child) -> None:
        """Take note where a child's end of its own accord is to end the supervisor."""
        if not child.spec.significant or self._is_completed:
            return
        others = (other for other in self.children.values() if other.spec.significant)
        if self.auto_shutdown == "any_significant" or all(map(self._is_at_rest, others)):
            self._is_completed = True
            self._actions.append(Completed(child.spec.id))

    def _shut_down(self, reason: ExitReason, now: float) -> None:
        if self.ending is not None:
            return
        self.ending = reason
        self._refuse_all(ActorStopped(self.path, str(reason)))
        for plan in tuple(self._plans):
            self._call_off(plan)
        self._advance(self._add_plan(list(self.children.values()), Stage.STOPPING), now)

    # -- restarts

    def _restart(self, child: Child, reason: ExitReason, was_up_for: float, now: float) -> None:
        id, backoff = child.spec.id, child.spec.backoff or self.backoff
        child.fail(backoff, was_up_for)
        window = self._window_of(id)
        delay = backoff.delay(child.failures, self.random)
        if window.add(now) or child.cooled:
            if self.cool_down is None:
                self._shut_down(failed(IntensityExceeded(self.path, id, reason)), now)
                return
            window.clear()
            doubled = self.cool_down * 2 ** min(child.cooled, _MOST_DOUBLINGS)
            delay = min(doubled, max(self.cool_down, _LONGEST_COOL_DOWN))
            child.cooled += 1
            self._actions.append(CooledDown(id, delay, reason))
        self._plan_restart(child, delay, reason, now)

    def _plan_restart(self, child: Child, delay: float, reason: ExitReason, now: float) -> None:
        """Have the child's group restarted; a plan that it was part of, or widens, is replaced."""
        if self.strategy == "one_for_one":
            earlier = self._plan_of(child)
        else:
            earlier = self._plans[0] if self._plans else None
        group = self._group_of(child, earlier)
        is_first = False
        if earlier is not None and earlier.is_first and self.strategy == "one_for_one":
            earlier.children.remove(child)  # it has been up once: the first start goes on
            self._advance(earlier, now)
        elif earlier is not None:
            delay = max(delay, earlier.wait_left(now))
            is_first = earlier.is_first
            self._call_off(earlier)
        plan = self._add_plan(group, Stage.STOPPING)
        plan.delay, plan.is_first, plan.cause = delay, is_first, (child, reason)
        self._advance(plan, now)

    def _group_of(self, child: Child, earlier: Plan | None) -> list[Child]:
        """Give who is restarted with ``child``; what an earlier plan had yet to do is not lost."""
        children = list(self.children.values())
        match self.strategy:
            case "one_for_one":
                return [child]
            case "one_for_all":
                return children
            case "rest_for_one":
                due = [child, *(earlier.unfinished if earlier is not None else ())]
                return children[min(children.index(each) for each in due) :]
            case _:
                assert_never(self.strategy)

    def _drop_child(self, call: int, id: str) -> None:
        super()._drop_child(call, id)
        if id not in self.children:
            self._windows.pop(id, None)

    def _window_of(self, id: str) -> RestartWindow:
        # One window for the whole supervisor, as in OTP; but where a child is left alone for
        # failing too often, its failures must not count against its siblings.
        key = None if self.cool_down is None else id
        if key not in self._windows:
            self._windows[key] = RestartWindow(self.intensity)
        return self._windows[key]


def is_restarted(spec: ChildSpec, reason: ExitReason) -> bool:
    """Tell whether a child that ended for ``reason`` is started again."""
    match spec.restart:
        case "permanent":
            return True
        case "transient":
            return reason.is_abnormal
        case "temporary":
            return False
        case _:
            assert_never(spec.restart)
