"""Plans: sets of children that are stopped, left alone for a while, and started again."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from failsoft.actors.exit import ExitReason
from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.spec import ChildSpec
from failsoft.supervisors.steps import Action, Answer, Halt, Refuse, Restarted


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


@dataclass(eq=False)
class Child:
    """Know a child's phase and its history.

    starts: how often it came up. failures: in a row, without a while of health between them.
    cooled: how often in a row it was left alone. until: when its present wait ends.
    is_new: it was added while the supervisor ran, and has yet to come up. ups, downs: the calls
    that wait until it is up, or down for good.
    """

    spec: ChildSpec
    phase: Phase = Phase.STOPPED
    starts: int = 0
    failures: int = 0
    cooled: int = 0
    up_since: float = 0.0
    until: float | None = None
    is_new: bool = False
    ups: tuple[int, ...] = ()
    downs: tuple[int, ...] = ()

    def come_up(self, now: float) -> list[Action]:
        """Take note that it is up; give what there is to tell of that."""
        self.phase = Phase.RUNNING
        self.up_since = now
        self.starts += 1
        self.is_new = False
        told: list[Action] = [Restarted(self.spec.id)] if self.starts > 1 else []
        told += [Answer(call, self.spec.id) for call in self.ups]
        self.ups = ()
        return told

    def fail(self, backoff: Backoff, was_up_for: float) -> None:
        """Count a failure, from the first again where it had been healthy."""
        if backoff.is_healthy_after(self.failures, was_up_for):
            self.failures = self.cooled = 0
        self.failures += 1

    def halt(self) -> Action:
        """Give what stops it."""
        self.phase = Phase.STOPPING
        return Halt(self.spec.id)

    def refuse_ups(self, error: Exception) -> list[Action]:
        """Give what tells those who wait for it that it won't come up."""
        refused: list[Action] = [Refuse(call, error) for call in self.ups]
        self.ups = ()
        return refused


@dataclass(eq=False)
class Plan:
    """Know what is to be stopped and started again: ``children``, in start order.

    number: no other plan of the supervisor ever has it. delay: seconds between the last stop
    and the first start. is_first: it is the supervisor's own start. cause: the child whose end
    is the reason for the plan, and how it ended. is_ordered: it is a child's start that somebody
    ordered, who is told where it fails; it is not tried again.
    """

    number: int
    children: list[Child]
    stage: Stage
    delay: float = 0.0
    is_first: bool = False
    cause: tuple[Child, ExitReason] | None = None
    is_ordered: bool = False

    @property
    def unfinished(self) -> list[Child]:
        """Give the children that the plan has yet to bring up."""
        if self.stage is not Stage.STARTING:
            return self.children
        return [child for child in self.children if child.phase is not Phase.RUNNING]

    def wait_left(self, now: float) -> float:
        """Give the seconds that its wait has yet to last."""
        untils = [child.until for child in self.children if child.until is not None]
        return max((until - now for until in untils), default=0.0)

    def next_to_stop(self) -> Child | None:
        """Give the last child that isn't down yet; the ones before it wait for that."""
        return next((c for c in reversed(self.children) if c.phase is not Phase.STOPPED), None)

    def next_to_start(self) -> Child | None:
        """Give the first child that isn't up yet; the ones after it wait for that."""
        return next((c for c in self.children if c.phase is not Phase.RUNNING), None)
