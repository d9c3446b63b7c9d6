"""The tree as it is at one moment: what an operator is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from failsoft.actors.errors import describe

if TYPE_CHECKING:
    from failsoft.actors.cell import Cell


class TreeNode(msgspec.Struct, frozen=True):
    """Show one actor. Times are in seconds on the system's clock.

    state: starting, running, stopping, down (between incarnations) or closed.
    since: when it entered the state.
    control_depth, work_depth: messages that wait in the mailbox's lanes.
    handled, failed, expired: messages so far, over all incarnations.
    restarts: incarnations but the first. is_ready: whether work is welcome.
    waiting_until: when its supervisor will start it again, while it is left down before that.
    shows: what the actor itself says (``Actor.inspect``), and its supervisor of it.
    """

    path: str
    kind: str
    state: str
    since: float
    control_depth: int
    work_depth: int
    handled: int
    failed: int
    expired: int
    restarts: int
    is_ready: bool
    shows: dict[str, Any]
    children: tuple[TreeNode, ...]
    waiting_until: float | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def walk(self) -> Iterator[TreeNode]:
        """Give this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


def snapshot(cell: Cell, *, leaves: bool = True) -> TreeNode:
    """Take a picture of ``cell`` and what is below it, those without children if ``leaves``."""
    control, work = cell.mailbox.depths()
    serving = cell.serving
    return TreeNode(
        path=cell.path,
        kind=type(cell.actor).__name__ if cell.actor is not None else "",
        state=cell.state.value,
        since=cell.since,
        control_depth=control,
        work_depth=work,
        handled=serving.handled,
        failed=serving.failed,
        expired=serving.expired,
        restarts=max(0, cell.incarnation - 1),
        is_ready=cell.is_ready,
        shows=_shown(cell),
        children=tuple(
            snapshot(child, leaves=leaves)
            for child in (cell.children or {}).values()
            if leaves or child.children
        ),
        waiting_until=_waiting_until(cell),
    )


def _waiting_until(cell: Cell) -> float | None:
    parent = None if cell.parent is None else cell.parent.actor
    return None if parent is None else parent.waits_until(cell.name)


def _shown(cell: Cell) -> dict[str, Any]:
    if cell.actor is None:
        return {}
    try:
        return cell.actor.inspect()
    except Exception as error:  # the picture of a tree must not depend on each of its actors
        return {"inspect_failed": describe(error)}
