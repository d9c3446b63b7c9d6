"""Supervisor: the actor that puts the state machine to work on real children."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, assert_never

from failsoft.actors import SHUTDOWN, ExitReason, Timer, handles
from failsoft.actors.cell import Cell
from failsoft.actors.signals import ChildExited, ChildStarted, Signal
from failsoft.messages.events import (
    ChildCooledDown,
    ChildForgotten,
    ChildRestarted,
    ChildStarting,
    RestartCalledOff,
    RestartScheduled,
    SupervisorCompleted,
    SupervisorEscalated,
)
from failsoft.supervisors.backoff import RESTARTS, Backoff
from failsoft.supervisors.dynamic_machine import DynamicMachine
from failsoft.supervisors.errors import IntensityExceeded
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.machine import Machine
from failsoft.supervisors.management import Managed
from failsoft.supervisors.spec import (
    INFINITE,
    AutoShutdown,
    ChildSpec,
    Restart,
    Strategy,
    check_family,
)
from failsoft.supervisors.steps import (
    Action,
    Answer,
    Begin,
    CalledOff,
    Completed,
    CooledDown,
    Due,
    End,
    Exited,
    Forget,
    Halt,
    Refuse,
    Restarted,
    Shutdown,
    Start,
    Started,
    SupervisorInput,
    Up,
    Wait,
)

_INTENSITY = Intensity()


class PlanDue(Signal, frozen=True):
    """Remind a supervisor that a wait is over."""

    plan: int


class Supervisor(Managed):
    """Start children in order, restart them by a strategy, stop them in reverse order.

    strategy: ``one_for_one``, ``one_for_all`` or ``rest_for_one``, as in OTP.
    intensity: more restarts than this, and it stops its children and fails itself.
    backoff: the waits before restarts, for children that name none of their own.
    auto_shutdown: whether it ends, with reason ``shutdown``, when a significant child has ended
        and isn't restarted: ``never``, after the first (``any_significant``), or after the last
        of them (``all_significant``).

    Raise DuplicateChild for an id that is there twice, and ValueError for what contradicts,
    before anything starts. Its start fails with StartRolledBack where a child's first start fails.
    """

    shutdown_timeout: ClassVar[float] = INFINITE  # its children have bounds of their own
    ends_together: ClassVar[bool] = False

    def __init__(
        self,
        children: Sequence[ChildSpec],
        *,
        strategy: Strategy = "one_for_one",
        intensity: Intensity = _INTENSITY,
        backoff: Backoff = RESTARTS,
        auto_shutdown: AutoShutdown = "never",
        cool_down: float | None = None,
    ) -> None:
        check_family(children, strategy, auto_shutdown, cool_down)
        self._supervise_by(
            functools.partial(
                Machine,
                children,
                strategy,
                intensity,
                backoff,
                auto_shutdown=auto_shutdown,
                cool_down=cool_down,
                ends_together=self.ends_together,
            )
        )

    def _supervise_by(self, make_machine: Callable[..., Machine | DynamicMachine]) -> None:
        super().__init__()
        self._make_machine = make_machine
        self._waits: dict[int, tuple[Timer, tuple[str, ...]]] = {}

    async def on_start(self) -> None:
        self.machine = self._make_machine(random=self.context.random, path=self.context.path)
        self.context.defer_start()
        self._step(Begin())

    def on_shutdown(self, reason: ExitReason) -> bool:
        self._step(Shutdown(reason))
        return False

    @handles(ChildStarted)
    def _child_started(self, message: ChildStarted) -> None:
        self._step(Started(_id_of(message.child)))

    @handles(ChildExited)
    def _child_exited(self, message: ChildExited) -> None:
        self._step(Exited(_id_of(message.child), message.reason))

    @handles(PlanDue)
    def _plan_due(self, message: PlanDue) -> None:
        self._waits.pop(message.plan, None)
        self._step(Due(message.plan))

    def waits_until(self, child: str) -> float | None:
        known = self.machine.children.get(child)
        return None if known is None else known.until

    def inspect(self) -> dict[str, Any]:
        machine = self.machine
        return {
            "strategy": machine.strategy,
            "children": {
                id: {"phase": child.phase.value, "failures": child.failures, "until": child.until}
                for id, child in machine.children.items()
            },
        }

    @property
    def _cells(self) -> dict[str, Cell]:
        return self.context.children

    def _step(self, event: SupervisorInput) -> None:
        for action in self.machine.step(event, self.context.clock.now()):
            self._do(action)

    def _do(self, action: Action) -> None:
        match action:
            case Start(id):
                self._start(id)
            case Halt(id):
                self._halt(id)
            case Forget(id, reason):
                self._forget(id, reason)
            case Wait():
                self._wait(action)
            case CalledOff(plan):
                self._call_off(plan)
            case Restarted(id):
                cell = self._cells[id]
                self._publish(ChildRestarted, cell, restarts=cell.incarnation - 1)
            case CooledDown(id, seconds, reason):
                cell = self._cells[id]
                self._publish(ChildCooledDown, cell, seconds=seconds, reason=str(reason))
            case Up():
                self.context.started()
            case Completed(id):
                self.context.publish(SupervisorCompleted, child=id)
            case Answer(call, id):
                self._answer_call(call, id)
            case Refuse(call, error):
                self._refuse_call(call, error)
            case End(reason):
                self._end(reason)
            case _:
                assert_never(action)

    def _start(self, id: str) -> None:
        cell = self._cells.get(id)
        if cell is None:
            cell = self.context.add_child(self.machine.children[id].spec.start, id)
        self._publish(ChildStarting, cell)
        cell.start()

    def _halt(self, id: str) -> None:
        cell, shutdown = self._cells[id], self.machine.children[id].spec.shutdown
        cell.stop(SHUTDOWN, cell.shutdown_timeout if shutdown is None else shutdown)

    def _forget(self, id: str, reason: ExitReason) -> None:
        cell = self._cells.get(id)
        if cell is not None:  # else it was ordered, and never begun
            self._publish(ChildForgotten, cell, reason=str(reason))
            cell.close(reason)

    def _wait(self, action: Wait) -> None:
        together = self.machine.waiting(action.plan)
        self.context.system.events.publish(
            RestartScheduled,
            f"{self.context.path}/{action.child}",
            attempt=action.attempt,
            delay=action.delay,
            reason=str(action.reason),
            together=together,
        )
        timer = self.context.send_after(action.delay, PlanDue(action.plan))
        self._waits[action.plan] = timer, together

    def _call_off(self, plan: int) -> None:
        timer, children = self._waits.pop(plan, (None, ()))
        if timer is not None:
            timer.cancel()
            self.context.publish(RestartCalledOff, children=children)

    def _end(self, reason: ExitReason) -> None:
        if isinstance(reason.error, IntensityExceeded):
            self.context.publish(
                SupervisorEscalated, child=reason.error.child, reason=str(reason.error)
            )
        self.context.exit(reason)

    def _publish(self, kind: type, cell: Cell, **fields: object) -> None:
        self.context.system.events.publish(kind, cell.path, **fields)


def supervisor(
    id: str,
    *children: ChildSpec,
    strategy: Strategy = "one_for_one",
    intensity: Intensity = _INTENSITY,
    backoff: Backoff = RESTARTS,
    auto_shutdown: AutoShutdown = "never",
    restart: Restart = "permanent",
    significant: bool = False,
) -> ChildSpec:
    """Describe a supervisor with its children, to be a child itself; see ``Supervisor``.

    restart, significant: of the supervisor itself, as its own supervisor's child.
    """
    check_family(children, strategy, auto_shutdown, None)
    start = functools.partial(
        Supervisor,
        children,
        strategy=strategy,
        intensity=intensity,
        backoff=backoff,
        auto_shutdown=auto_shutdown,
    )
    return ChildSpec(id=id, start=start, restart=restart, significant=significant)


def _id_of(cell: Cell) -> str:
    return cell.name
