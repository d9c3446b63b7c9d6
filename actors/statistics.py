"""Statistics: what an actor and a system have done and have before them, frozen at one moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from failsoft.actors.cell import Cell
    from failsoft.actors.system import System


class ActorStatistics(msgspec.Struct, frozen=True):
    """Count for one actor, over all its incarnations. Times are on the system's clock, in s.

    state: starting, running, stopping, down (between incarnations) or closed, ``since`` when.
    handled, failed, expired: messages dealt with, ended by an error of the actor's, and given up
        because nobody waited for the answer any more.
    control_depth, work_depth: messages that wait in the mailbox's lanes.
    stashed: messages put aside. interleaving: handlers that run side by side.
    owed: answers that were deferred and have yet to be given.
    busy_since: when the handler began that is in hand and awaits something; None for none.
    """

    path: str
    state: str
    since: float
    restarts: int
    handled: int
    failed: int
    expired: int
    control_depth: int
    work_depth: int
    stashed: int
    interleaving: int
    owed: int
    busy_since: float | None


class SystemStatistics(msgspec.Struct, frozen=True):
    """Count for a system, at the time ``at`` on its clock, in seconds.

    actors: how many are in which state. tasks: of actors and their interleaving handlers.
    waiting: messages in all mailboxes. names: registered ones.
    dead_letters: how many there were so far by reason.
    events_published: how many had somebody who listened. subscribers: who listen now.
    """

    at: float
    actors: dict[str, int]
    tasks: int
    waiting: int
    names: int
    dead_letters: dict[str, int]
    events_published: int
    subscribers: int


def actor_statistics(cell: Cell) -> ActorStatistics:
    """Take the statistics of one actor."""
    control, work = cell.mailbox.depths()
    serving = cell.serving
    return ActorStatistics(
        path=cell.path,
        state=cell.state.value,
        since=cell.since,
        restarts=max(0, cell.incarnation - 1),
        handled=serving.handled,
        failed=serving.failed,
        expired=serving.expired,
        control_depth=control,
        work_depth=work,
        stashed=serving.stashed,
        interleaving=serving.interleaving,
        owed=serving.owed,
        busy_since=serving.busy_since,
    )


def system_statistics(system: System, cells: Iterable[Cell], tasks: int) -> SystemStatistics:
    """Take the statistics of a system whose actors are ``cells``."""
    cells = tuple(cells)
    return SystemStatistics(
        at=system.clock.now(),
        actors=dict(Counter(cell.state.value for cell in cells)),
        tasks=tasks,
        waiting=sum(sum(cell.mailbox.depths()) for cell in cells),
        names=len(system.registry),
        dead_letters=system.dead_letters.counts(),
        events_published=system.events.published,
        subscribers=system.events.subscribers,
    )
