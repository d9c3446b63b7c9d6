"""The tree as it is at one moment: what an operator is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from failsoft.actors.cell import Cell


class TreeNode(msgspec.Struct, frozen=True):
    """Show one actor. Times are in seconds on the system's clock.

    state: starting, running, stopping, down (between incarnations) or closed.
    since: when it entered the state.
    control_depth, work_depth: messages that wait in the mailbox's lanes.
    handled, failed, expired: messages so far, over all incarnations.
    restarts: incarnations but the first.
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
    shows: dict[str, Any]
    children: tuple[TreeNode, ...]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def walk(self) -> Iterator[TreeNode]:
        """Give this node and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


def snapshot(cell: Cell) -> TreeNode:
    """Take a picture of ``cell`` and what is below it."""
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
        shows=cell.actor.inspect() if cell.actor is not None else {},
        children=tuple(snapshot(child) for child in (cell.children or {}).values()),
    )
