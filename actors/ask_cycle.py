"""Ask cycles: actors that wait for each other's answer, which none of them can give.

Each actor that asks from its own task (from a handler that doesn't interleave, from ``on_start``)
handles nothing else until the answer is there. So it waits for one other at a time, and where
following those waits leads back to it, there is no way out but somebody's deadline.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from failsoft.actors.errors import AskCycle

if TYPE_CHECKING:
    from failsoft.actors.address import Address
    from failsoft.actors.cell import Cell
    from failsoft.actors.reply import Reply


class Waiting:
    """Be the wait of an actor's own task for an answer, while the block runs.

    Entering it raises AskCycle where that closes a cycle and its deadline is the first to pass;
    where another one's in the cycle is, that other ask is answered with AskCycle, at once: it
    would have failed so anyway, and lets the others go on.
    """

    __slots__ = ("_address", "_asker", "_reply")

    def __init__(self, asker: Cell, address: Address, reply: Reply[Any]) -> None:
        self._asker = asker
        self._address = address
        self._reply = reply

    def __enter__(self) -> None:
        if self._address.waiting is not None or self._address is self._asker:
            self._break_cycle()
        self._asker.waiting = self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._asker.waiting = None

    def _break_cycle(self) -> None:
        cycle = self._cycle()
        if not cycle:
            return
        # Of those with the same deadline it is the new one, whose error is raised where it is made.
        first = min(cycle, key=lambda waiting: waiting._reply.deadline)
        at = cycle.index(first)
        paths = [waiting._asker.path for waiting in cycle[at:] + cycle[:at]]
        error = AskCycle([*paths, paths[0]])
        if first is self:
            self._reply.abandon()
            raise error
        first._reply.fail(error)

    def _cycle(self) -> list[Waiting]:
        """Give the waits that lead from here back to the asker; none where they don't."""
        found = [self]
        while (last := found[-1])._address is not self._asker:
            following = last._address.waiting
            if following is None or not following._reply.is_open or following in found:
                return []
            if last._is_answered_elsewhere:
                return []
            found.append(following)
        return [] if last._is_answered_elsewhere else found

    @property
    def _is_answered_elsewhere(self) -> bool:
        """Tell whether the answer needs no turn of the actor: it is deferred, or interleaves."""
        return self._address.has_beside(self._reply)
