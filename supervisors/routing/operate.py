"""What an operator can see and steer of a router while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from failsoft.actors import Reply, handles
from failsoft.messages import Control, Request
from failsoft.supervisors.errors import ChildNotFound
from failsoft.supervisors.routing.dispatcher import Dispatcher
from failsoft.supervisors.routing.moves import Move
from failsoft.supervisors.routing.poison import QuarantineEntry
from failsoft.supervisors.routing.target import CandidateInfo, Target
from failsoft.supervisors.supervisor import Supervisor


class WhichCandidates(Request[tuple[CandidateInfo, ...]], Control, frozen=True):
    """Ask a router for its candidates as they are now, in order of priority."""


class ForceBreaker(Request[None], Control, frozen=True):
    """Hold a candidate's circuit open or closed, whatever comes; None lets go of it.

    Refused with ChildNotFound.
    """

    candidate: str
    state: Literal["open", "closed"] | None


class ResetBreaker(Request[None], Control, frozen=True):
    """Close a candidate's circuit and forget its failures. Refused with ChildNotFound."""

    candidate: str


class ListQuarantine(Request[tuple[QuarantineEntry, ...]], Control, frozen=True):
    """Ask a router which requests it refuses for having taken down workers."""


class ClearQuarantine(Request[int], Control, frozen=True):
    """Take such requests again: all, or those of one fingerprint; answered with how many."""

    fingerprint: str | None = None


class Operated(Supervisor):
    """Answer those requests, for a router."""

    _dispatcher: Dispatcher
    _now: Callable[[], float]

    def _carry_out(self, moves: list[Move]) -> None:
        raise NotImplementedError

    @handles(WhichCandidates)
    def _which_candidates(self, _request: WhichCandidates) -> tuple[CandidateInfo, ...]:
        return tuple(target.info(self._now()) for target in self._dispatcher.targets.values())

    @handles(ForceBreaker)
    def _force_breaker(self, request: ForceBreaker) -> Reply[None]:
        def force(target: Target) -> list[Move]:
            return self._dispatcher.force(target, request.state, self._now())

        return self._steer(request.candidate, force)

    @handles(ResetBreaker)
    def _reset_breaker(self, request: ResetBreaker) -> Reply[None]:
        return self._steer(
            request.candidate, lambda each: self._dispatcher.reset(each, self._now())
        )

    def _steer(self, id: str, change: Callable[[Target], list[Move]]) -> Reply[None]:
        reply = self.context.defer()
        target = self._dispatcher.targets.get(id)
        if target is None:
            # Not raised: that would be the router's own failure.
            reply.fail(ChildNotFound(self.context.path, id))
        else:
            self._carry_out(change(target))
            reply.set(None)
        return reply

    @handles(ListQuarantine)
    def _list_quarantine(self, _request: ListQuarantine) -> tuple[QuarantineEntry, ...]:
        return self._dispatcher.quarantine.entries(self._now())

    @handles(ClearQuarantine)
    def _clear_quarantine(self, request: ClearQuarantine) -> int:
        return self._dispatcher.quarantine.clear(request.fingerprint)
