"""Management: what can be asked of a supervisor while it runs, in OTP's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from failsoft.actors import Actor, Ref, Reply, handles
from failsoft.messages import Control, Request
from failsoft.supervisors.dynamic_machine import DynamicMachine
from failsoft.supervisors.machine import Machine
from failsoft.supervisors.plan import Child, Phase
from failsoft.supervisors.spec import ChildSpec, Restart
from failsoft.supervisors.steps import (
    AddChild,
    DropChild,
    Order,
    StartAgain,
    StopChild,
    SupervisorInput,
)

ChildPhase = Literal["starting", "running", "stopping", "stopped", "restarting"]


class ChildInfo(msgspec.Struct, frozen=True):
    """Show one child. ref: None where it has no place in the tree, since it is stopped.

    phase: ``restarting`` is from its end until it is being started again, backoff included.
    is_supervisor: as far as its spec, or the actor that runs, tells.
    """

    id: str
    ref: Ref | None
    phase: ChildPhase
    restart: Restart
    is_supervisor: bool


class ChildCounts(msgspec.Struct, frozen=True):
    """Count the children of a supervisor.

    specs: all that it knows. active: those that run. supervisors, workers: of all, which they are.
    """

    specs: int
    active: int
    supervisors: int
    workers: int


class StartChild(Request[Ref], Control, frozen=True):
    """Take in a child, after those that are there, and start it; answered once it is up.

    It is refused with ChildAlreadyStarted, ChildAlreadyPresent, ValueError where its spec
    contradicts the supervisor, or StartFailed: then it isn't kept.
    """

    spec: ChildSpec


class TerminateChild(Request[None], Control, frozen=True):
    """Stop a child, within its shutdown time, and don't restart it; answered once it is down.

    A restart that waits is called off. The spec is kept for RestartChild, but for temporary
    children and dynamic supervisors. Refused with ChildNotFound.
    """

    id: str


class RestartChild(Request[Ref], Control, frozen=True):
    """Start a child that is stopped; answered once it is up.

    Refused with ChildNotFound, ChildRunning, ChildRestarting, StartFailed: then it is still there.
    """

    id: str


class DeleteChild(Request[None], Control, frozen=True):
    """Drop the spec of a child that is stopped.

    Refused with ChildNotFound, ChildRunning, ChildRestarting.
    """

    id: str


class WhichChildren(Request[tuple[ChildInfo, ...]], Control, frozen=True):
    """Ask for all children, in start order."""


class CountChildren(Request[ChildCounts], Control, frozen=True):
    """Ask how many children there are, and of what kind."""


class Managed(Actor):
    """Answer those requests, for a supervisor: each when it is done.

    Where the asker has left or its deadline has passed, what it asked for is done all the same.
    """

    machine: Machine | DynamicMachine

    def __init__(self) -> None:
        self._calls: dict[int, tuple[Reply[Any], bool]] = {}
        self._calls_made = 0

    def _step(self, event: SupervisorInput) -> None:
        raise NotImplementedError

    def child(self, id: str) -> Ref | None:
        """Give the way to a child; None where there is none by that id."""
        cell = self.context.children.get(id)
        return None if cell is None else cell.ref

    @handles(StartChild)
    def _start_child(self, request: StartChild) -> Reply[Ref]:
        return self._order(lambda call: AddChild(call, request.spec), gives_ref=True)

    @handles(TerminateChild)
    def _terminate_child(self, request: TerminateChild) -> Reply[None]:
        return self._order(lambda call: StopChild(call, request.id))

    @handles(RestartChild)
    def _restart_child(self, request: RestartChild) -> Reply[Ref]:
        return self._order(lambda call: StartAgain(call, request.id), gives_ref=True)

    @handles(DeleteChild)
    def _delete_child(self, request: DeleteChild) -> Reply[None]:
        return self._order(lambda call: DropChild(call, request.id))

    @handles(WhichChildren)
    def _which_children(self, _request: WhichChildren) -> tuple[ChildInfo, ...]:
        return tuple(map(self._info, self.machine.children.values()))

    @handles(CountChildren)
    def _count_children(self, _request: CountChildren) -> ChildCounts:
        children = self.machine.children.values()
        supervisors = sum(map(self._is_supervisor, children))
        return ChildCounts(
            specs=len(children),
            active=sum(child.phase is Phase.RUNNING for child in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )

    # -- answers

    def _order(self, make: Callable[[int], Order], *, gives_ref: bool = False) -> Reply[Any]:
        reply = self.context.defer()
        self._calls_made += 1
        call = self._calls_made
        self._calls[call] = reply, gives_ref
        reply.when_closed(lambda: self._calls.pop(call, None))
        self._step(make(call))
        return reply

    def _answer_call(self, call: int, id: str) -> None:
        reply, gives_ref = self._calls.get(call, (None, False))
        if reply is not None:
            reply.set(self.child(id) if gives_ref else None)

    def _refuse_call(self, call: int, error: Exception) -> None:
        reply, _ = self._calls.get(call, (None, False))
        if reply is not None:
            reply.fail(error)

    # -- what is shown

    def _info(self, child: Child) -> ChildInfo:
        id = child.spec.id
        phase: ChildPhase = child.phase.value
        if child.phase is Phase.STOPPED and self.machine.is_planned(child):
            phase = "restarting" if child.starts or child.failures else "starting"
        elif child.phase is Phase.STOPPED and child.ups:
            phase = "starting"
        return ChildInfo(id, self.child(id), phase, child.spec.restart, self._is_supervisor(child))

    def _is_supervisor(self, child: Child) -> bool:
        cell = self.context.children.get(child.spec.id)
        if cell is not None and cell.actor is not None:
            return isinstance(cell.actor, Managed)
        made = child.spec.made_class
        return made is not None and issubclass(made, Managed)
