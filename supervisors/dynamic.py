"""Dynamic supervisors: any number of children from one template. OTP's simple_one_for_one."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import msgspec

from failsoft.actors import Actor, Ref, Reply, handles
from failsoft.messages import Control, Request
from failsoft.supervisors.backoff import RESTARTS, Backoff
from failsoft.supervisors.dynamic_machine import DynamicMachine
from failsoft.supervisors.errors import NotForDynamic
from failsoft.supervisors.intensity import Intensity
from failsoft.supervisors.management import StartChild
from failsoft.supervisors.spec import ChildSpec, Restart
from failsoft.supervisors.steps import AddChild
from failsoft.supervisors.supervisor import Supervisor

MAX_CHILDREN = 100_000

_INTENSITY = Intensity()


class StartChildWith(Request[Ref], Control, frozen=True):
    """Start a child of a dynamic supervisor; answered once it is up.

    args, options: what the template's ``start`` is called with, also for restarts.
    id: its name; None has one made: the template's id and a number.
    Refused with ChildAlreadyStarted, TooManyChildren, ValueError for an id that is no name, or
    StartFailed: then it is forgotten.
    """

    args: tuple[Any, ...] = ()
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    id: str | None = None


class DynamicSupervisor(Supervisor):
    """Start children of one template when asked (StartChildWith), and supervise each by itself.

    template: as a ChildSpec, but that its ``start`` is called with what each request gives.
        Its restart, shutdown and backoff hold for all.
    max_children: how many there may be at once; more are refused.
    intensity, backoff: as for ``Supervisor``; restarts are counted over all children.

    A child that ends for good, or is stopped, is forgotten. At its own end all children are
    stopped side by side, each within its shutdown time.
    """

    def __init__(
        self,
        template: ChildSpec,
        *,
        max_children: int = MAX_CHILDREN,
        intensity: Intensity = _INTENSITY,
        backoff: Backoff = RESTARTS,
    ) -> None:
        _check(template, max_children)
        self._template = template
        self._numbers = itertools.count(1)
        self._supervise_by(
            functools.partial(DynamicMachine, intensity, backoff, max_children=max_children)
        )

    @handles(StartChildWith)
    def _start_child_with(self, request: StartChildWith) -> Reply[Ref]:
        id = request.id if request.id is not None else self._free_id()
        try:
            spec = msgspec.structs.replace(
                self._template,
                id=id,
                start=functools.partial(self._template.start, *request.args, **request.options),
            )
        except ValueError as error:
            reply = self.context.defer()
            reply.fail(error)
            return reply
        return self._order(lambda call: AddChild(call, spec), gives_ref=True)

    @handles(StartChild)
    def _start_child(self, request: StartChild) -> Reply[Ref]:
        reply = self.context.defer()
        reply.fail(NotForDynamic(self.context.path, "StartChild"))
        return reply

    def inspect(self) -> dict[str, Any]:
        machine = self.machine
        return {
            "strategy": machine.strategy,
            "template": self._template.id,
            "count": len(machine.children),
        }

    def _free_id(self) -> str:
        ids = (f"{self._template.id}-{number}" for number in self._numbers)
        return next(id for id in ids if id not in self.machine.children)


def dynamic_supervisor(
    id: str,
    template: ChildSpec,
    *,
    max_children: int = MAX_CHILDREN,
    intensity: Intensity = _INTENSITY,
    backoff: Backoff = RESTARTS,
    restart: Restart = "permanent",
    significant: bool = False,
) -> ChildSpec:
    """Describe a dynamic supervisor, to be a child itself; see ``DynamicSupervisor``.

    It starts with no children. Raise ValueError for a template that is significant: what ends a
    dynamic supervisor is its own supervisor.
    """
    _check(template, max_children)
    start = functools.partial(
        DynamicSupervisor,
        template,
        max_children=max_children,
        intensity=intensity,
        backoff=backoff,
    )
    return ChildSpec(id=id, start=start, restart=restart, significant=significant)


def template(
    id: str,
    start: Callable[..., Actor],
    *,
    restart: Restart = "permanent",
    shutdown: float | None = None,
    backoff: Backoff | None = None,
) -> ChildSpec:
    """Describe the children of a dynamic supervisor; ``start`` may take arguments.

    id: the beginning of the ids that are made. See ``ChildSpec`` for the others.
    """
    return ChildSpec(id=id, start=start, restart=restart, shutdown=shutdown, backoff=backoff)


def _check(template: ChildSpec, max_children: int) -> None:
    if not isinstance(template, ChildSpec):
        raise TypeError(f"a template is described by template(id, start), not by {template!r}")
    if template.significant:
        raise ValueError(
            f"the template {template.id!r} can't be significant: a dynamic supervisor doesn't end "
            "with its children"
        )
    if max_children < 1:
        raise ValueError(f"max_children must be at least 1; it is {max_children}")
