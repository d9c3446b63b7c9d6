"""The state machine of a supervisor: events in, actions out. No I/O, no tasks, no clock.

Work on children goes by plans. A plan is a set of children that are first stopped (in reverse
order, one by one), then left alone for a while (backoff), then started (in order, one by one).
The first start is a plan, each restart is one, and the shutdown is one that never starts again.
With ``one_for_one`` a failed child has a plan of its own, beside those of others; with the other
strategies there is at most one plan, and a failure on the way widens it and starts it over.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import assert_never

from failsoft.actors.exit import ExitReason, failed
from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.errors import DuplicateChild, IntensityExceeded, StartRolledBack
from failsoft.supervisors.intensity import Intensity, RestartWindow
from failsoft.supervisors.spec import ChildSpec, Strategy
from failsoft.supervisors.steps import (
    Action,
    Begin,
    CalledOff,
    CooledDown,
    Due,
    End,
    Exited,
    Forget,
    Halt,
    Restarted,
    Shutdown,
    Start,
    Started,
    SupervisorInput,
    Up,
    Wait,
)


class Phase(enum.Enum):
    """Name where a child stands."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


class Stage(enum.Enum):
    """Name how far a plan is."""

    STOPPING = "stopping"
    WAITING = "waiting"
    STARTING = "starting"


@dataclass
class Child:
    """Know a child's phase and its history.

    failures: in a row, without a while of health between them. cooled: how often in a row it
    was left alone. until: when its present wait ends.
    """

    spec: ChildSpec
    phase: Phase = Phase.STOPPED
    failures: int = 0
    cooled: int = 0
    restarts: int = 0
    up_since: float = 0.0
    until: float | None = None


@dataclass
class Plan:
    """Know what is to be stopped and started again, in start order."""

    ids: list[str]
    stage: Stage
    delay: float = 0.0
    is_first: bool = False
    cause: tuple[str, ExitReason] | None = None


_ALL = "*"  # no child's id: ``ChildSpec`` may have it, but plans of all are never beside others


@dataclass
class Machine:
    """Supervise children. ``step`` takes an event and the time, and gives what to do.

    cool_down: seconds for which a child that exceeds the intensity is left alone, doubled each
        time in a row, at most 10 minutes; None escalates instead, as OTP does. For
        ``one_for_one`` only.
    """

    specs: Sequence[ChildSpec]
    strategy: Strategy
    intensity: Intensity
    backoff: Backoff
    random: Random
    path: str = ""
    cool_down: float | None = None
    children: dict[str, Child] = field(default_factory=dict)
    ending: ExitReason | None = None
    _plans: dict[str, Plan] = field(default_factory=dict)
    _windows: dict[str, RestartWindow] = field(default_factory=dict)
    _actions: list[Action] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.cool_down is not None and self.strategy != "one_for_one":
            raise ValueError("cool_down goes with the strategy one_for_one alone")
        for spec in self.specs:
            if spec.id in self.children:
                raise DuplicateChild(spec.id)
            self.children[spec.id] = Child(spec)

    def step(self, event: SupervisorInput, now: float) -> list[Action]:
        """Take in what happened; give what to do about it, in order."""
        match event:
            case Begin():
                self._plans[_ALL] = Plan(list(self.children), Stage.STARTING, is_first=True)
                self._advance(_ALL, now)
            case Started(id):
                self._started(id, now)
            case Exited(id, reason):
                self._exited(id, reason, now)
            case Due(plan):
                self._due(plan, now)
            case Shutdown(reason):
                self._shut_down(reason, now)
            case _:
                assert_never(event)
        actions, self._actions = self._actions, []
        return actions

    def _started(self, id: str, now: float) -> None:
        child = self.children.get(id)
        if child is None or child.phase is not Phase.STARTING:
            return
        child.phase = Phase.RUNNING
        child.up_since = now
        key = self._plan_of(id)
        if key is not None and not self._plans[key].is_first:
            child.restarts += 1
            self._actions.append(Restarted(id))
        self._advance_if(key, now)

    def _exited(self, id: str, reason: ExitReason, now: float) -> None:
        child = self.children.get(id)
        if child is None:
            return
        before, child.phase = child.phase, Phase.STOPPED
        key = self._plan_of(id)
        plan = self._plans.get(key) if key is not None else None
        if self.ending is not None or (plan is not None and plan.stage is Stage.STOPPING):
            if child.spec.restart == "temporary" and self.ending is None:
                self._forget(child, reason)
            self._advance_if(key, now)
        elif plan is not None and plan.is_first and before is Phase.STARTING:
            cause = StartRolledBack(self.path, id, reason.error or str(reason))
            self._shut_down(failed(cause), now)
        elif not _is_restarted(child.spec, reason):
            self._forget(child, reason)
            if plan is not None:
                plan.ids.remove(id)
            self._advance_if(key, now)
        else:
            was_up_for = now - child.up_since if before is Phase.RUNNING else 0.0
            self._restart(child, reason, was_up_for, now)

    def _restart(self, child: Child, reason: ExitReason, was_up_for: float, now: float) -> None:
        id, backoff = child.spec.id, child.spec.backoff or self.backoff
        if backoff.is_healthy_after(child.failures, was_up_for):
            child.failures = child.cooled = 0
        child.failures += 1
        window = self._window_of(id)
        delay = backoff.delay(child.failures, self.random)
        if window.add(now) or child.cooled:
            if self.cool_down is None:
                self._shut_down(failed(IntensityExceeded(self.path, id, reason)), now)
                return
            window.clear()
            delay = min(self.cool_down * 2**child.cooled, max(self.cool_down, _LONGEST_COOL_DOWN))
            child.cooled += 1
            self._actions.append(CooledDown(id, delay, reason))
        self._plan_restart(child, delay, reason, now)

    def _plan_restart(self, child: Child, delay: float, reason: ExitReason, now: float) -> None:
        id = child.spec.id
        key, ids = self._group_of(id)
        earlier = self._plans.get(key)
        is_first = False
        if earlier is not None:
            self._actions.append(CalledOff(key))
            ids = [other for other in self.children if other in ids or other in earlier.ids]
            delay = max(delay, self._wait_left(earlier, now))
            is_first = earlier.is_first
        elif (first := self._plan_of(id)) is not None:
            self._plans[first].ids.remove(id)  # it has been up once: the first start goes on
            self._advance(first, now)
        self._plans[key] = Plan(ids, Stage.STOPPING, delay, is_first, cause=(id, reason))
        self._advance(key, now)

    def _due(self, key: str, now: float) -> None:
        plan = self._plans.get(key)
        if plan is None or plan.stage is not Stage.WAITING:
            return
        plan.stage = Stage.STARTING
        for id in plan.ids:
            self.children[id].until = None
        self._advance(key, now)

    def _shut_down(self, reason: ExitReason, now: float) -> None:
        if self.ending is not None:
            return
        self.ending = reason
        self._actions += [CalledOff(key) for key in self._plans]
        self._plans = {_ALL: Plan(list(self.children), Stage.STOPPING)}
        self._advance(_ALL, now)

    def _advance_if(self, key: str | None, now: float) -> None:
        if key is not None and key in self._plans:
            self._advance(key, now)

    def _advance(self, key: str, now: float) -> None:
        """Do what the plan's stage allows now."""
        plan = self._plans[key]
        plan.ids = [id for id in plan.ids if id in self.children]
        if plan.stage is Stage.STOPPING and not self._stop_next(plan):
            if self.ending is not None:
                self._actions.append(End(self.ending))
                return
            self._wait(key, plan, now)
        if plan.stage is Stage.STARTING and not self._start_next(plan):
            del self._plans[key]
            if plan.is_first:
                self._actions.append(Up())

    def _stop_next(self, plan: Plan) -> bool:
        """See to the last child that is not down yet; False where all are."""
        for id in reversed(plan.ids):
            child = self.children[id]
            if child.phase in (Phase.STARTING, Phase.RUNNING):
                child.phase = Phase.STOPPING
                self._actions.append(Halt(id))
            if child.phase is Phase.STOPPING:
                return True
        return False

    def _wait(self, key: str, plan: Plan, now: float) -> None:
        assert plan.cause is not None
        plan.stage = Stage.WAITING
        failed_id, reason = plan.cause
        for id in plan.ids:
            self.children[id].until = now + plan.delay
        attempt = self.children[failed_id].failures if failed_id in self.children else 0
        self._actions.append(Wait(key, plan.delay, failed_id, attempt, reason))

    def _start_next(self, plan: Plan) -> bool:
        """See to the first child that is not up yet; False where all are."""
        for id in plan.ids:
            child = self.children[id]
            if child.phase is Phase.STOPPED:
                child.phase = Phase.STARTING
                self._actions.append(Start(id))
            if child.phase is Phase.STARTING:
                return True
        return False

    def _forget(self, child: Child, reason: ExitReason) -> None:
        if child.spec.restart == "temporary":
            del self.children[child.spec.id]
        self._actions.append(Forget(child.spec.id, reason))

    def _group_of(self, id: str) -> tuple[str, list[str]]:
        ids = list(self.children)
        match self.strategy:
            case "one_for_one":
                return id, [id]
            case "one_for_all":
                return _ALL, ids
            case "rest_for_one":
                return _ALL, ids[ids.index(id) :]
            case _:
                assert_never(self.strategy)

    def _plan_of(self, id: str) -> str | None:
        return next((key for key, plan in self._plans.items() if id in plan.ids), None)

    def _wait_left(self, plan: Plan, now: float) -> float:
        untils = [self.children[id].until for id in plan.ids if id in self.children]
        return max((until - now for until in untils if until is not None), default=0.0)

    def _window_of(self, id: str) -> RestartWindow:
        # One window for the whole supervisor, as in OTP; but where a child is left alone for
        # failing too often, its failures must not count against its siblings.
        key = _ALL if self.cool_down is None else id
        if key not in self._windows:
            self._windows[key] = RestartWindow(self.intensity)
        return self._windows[key]


_LONGEST_COOL_DOWN = 600.0


def _is_restarted(spec: ChildSpec, reason: ExitReason) -> bool:
    match spec.restart:
        case "permanent":
            return True
        case "transient":
            return reason.is_abnormal
        case "temporary":
            return False
        case _:
            assert_never(spec.restart)
