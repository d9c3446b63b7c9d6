"""Child specs: what a supervisor starts, and what it does when that ends. In OTP's words."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import msgspec

from failsoft.actors import Actor
from failsoft.supervisors.backoff import Backoff
from failsoft.supervisors.errors import DuplicateChild

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
Restart = Literal["permanent", "transient", "temporary"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]

BRUTAL = 0.0
INFINITE = math.inf


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Describe a child.

    id: its name under the supervisor, and the last part of its path.
    start: makes the actor, anew for each incarnation.
    restart: ``permanent``, always; ``transient``, after a failure only; ``temporary``, never,
        and it is forgotten when it ends.
    shutdown: seconds it may take to stop before it is killed; ``BRUTAL`` (0) kills it at once,
        ``INFINITE`` waits. None takes the actor class's own ``shutdown_timeout``.
    backoff: the waits before its restarts, where they differ from its supervisor's.
    significant: its end may end its supervisor, as that one's ``auto_shutdown`` says; not for
        a permanent child, which never ends for good.

    Raise ValueError or TypeError where a value is out of range, or two contradict each other.
    """

    id: str
    start: Callable[[], Actor]
    restart: Restart = "permanent"
    shutdown: float | None = None
    backoff: Backoff | None = None
    significant: bool = False

    @property
    def made_class(self) -> type | None:
        """Give the class that ``start`` makes, where that can be told without a call."""
        start: Any = self.start
        while isinstance(start, functools.partial):
            start = start.func
        return start if isinstance(start, type) else None

    def __post_init__(self) -> None:
        if not self.id or "/" in self.id:
            raise ValueError(f"a child's id must not be empty nor hold a slash: {self.id!r}")
        if self.restart not in ("permanent", "transient", "temporary"):
            raise ValueError(
                f"restart of {self.id!r} must be permanent, transient or temporary; "
                f"it is {self.restart!r}"
            )
        if self.shutdown is not None and not self.shutdown >= 0:
            raise ValueError(f"shutdown of {self.id!r} must be at least 0 s; it is {self.shutdown}")
        if self.significant and self.restart == "permanent":
            raise ValueError(
                f"{self.id!r} can't be significant and permanent: it would be restarted and never "
                "end; make it transient or temporary"
            )
        self._check_start()

    def _check_start(self) -> None:
        if isinstance(self.start, Actor) or not callable(self.start):
            raise TypeError(
                f"start of {self.id!r} must make an actor each time it is called: give the class "
                f"or a function, not {self.start!r}"
            )
        made = self.made_class
        if made is not None and not issubclass(made, Actor):
            raise TypeError(f"start of {self.id!r} must make an Actor; {made.__name__} is none")


def child(
    id: str,
    start: Callable[[], Actor],
    *,
    restart: Restart = "permanent",
    shutdown: float | None = None,
    backoff: Backoff | None = None,
    significant: bool = False,
) -> ChildSpec:
    """Describe a child; see ``ChildSpec``, also for what is raised."""
    return ChildSpec(
        id=id,
        start=start,
        restart=restart,
        shutdown=shutdown,
        backoff=backoff,
        significant=significant,
    )


def check_family(
    children: Sequence[ChildSpec],
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    cool_down: float | None,
) -> None:
    """Check that the children go with one another and with their supervisor.

    Raise DuplicateChild for an id that is there twice, ValueError for what contradicts.
    """
    if strategy not in get_args(Strategy):
        raise ValueError(f"the strategy must be one of {get_args(Strategy)}: {strategy!r}")
    if auto_shutdown not in get_args(AutoShutdown):
        raise ValueError(
            f"auto_shutdown must be one of {get_args(AutoShutdown)}: {auto_shutdown!r}"
        )
    if cool_down is not None and strategy != "one_for_one":
        raise ValueError("cool_down goes with the strategy one_for_one alone")
    known: set[str] = set()
    for spec in children:
        if not isinstance(spec, ChildSpec):
            raise TypeError(f"a child is described by child(id, start), not by {spec!r}")
        if spec.id in known:
            raise DuplicateChild(spec.id)
        known.add(spec.id)
        check_significance(spec, auto_shutdown)


def check_significance(spec: ChildSpec, auto_shutdown: AutoShutdown) -> None:
    """Raise ValueError where the child is significant to a supervisor that doesn't heed it."""
    if spec.significant and auto_shutdown == "never":
        raise ValueError(
            f"{spec.id!r} is significant, but its supervisor never shuts down by itself; give the "
            'supervisor auto_shutdown="any_significant" or "all_significant"'
        )
