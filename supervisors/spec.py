"""Child specs: what a supervisor starts, and what it does when that ends. In OTP's words."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import msgspec
from failsoft.actors import Actor
from failsoft.supervisors.backoff import Backoff

Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
Restart = Literal["permanent", "transient", "temporary"]

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
    """

    id: str
    start: Callable[[], Actor]
    restart: Restart = "permanent"
    shutdown: float | None = None
    backoff: Backoff | None = None

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


def child(
    id: str,
    start: Callable[[], Actor],
    *,
    restart: Restart = "permanent",
    shutdown: float | None = None,
    backoff: Backoff | None = None,
) -> ChildSpec:
    """Describe a child; see ``ChildSpec``. Raise ValueError where a value is out of range."""
    return ChildSpec(id=id, start=start, restart=restart, shutdown=shutdown, backoff=backoff)
