"""What an operator can see and steer of a router while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

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


class DrainCandidate(Request[None], Control, frozen=True):
    """Send a candidate no more requests, until it is started again; answered when it has none.

    Those that wait for it go elsewhere; those that it has in hand are finished. Refused with
    ChildNotFound.
    """

    candidate: str


class AwaitIdle(Request[None], Control, frozen=True):
    """Wait until a router has no request in hand: one that nobody sends any more."""


class OrderCandidates(Request[None], Control, frozen=True):
    """Prefer candidates in this order; those that aren't named come after them, as they were."""

    candidates: tuple[str, ...]


class ListQuarantine(Request[tuple[QuarantineEntry, ...]], Control, frozen=True):
    """Ask a router which requests it refuses for having taken down workers."""


class ClearQuarantine(Request[int], Control, frozen=True):
    """Take such requests again: all, or those of one fingerprint; answered with how many."""

    fingerprint: str | None = None


class Operated(Supervisor):
    """Answer those requests, for a router."""

    _dispatcher: Dispatcher
    _now: Callable[[], float]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._drains: list[tuple[Callable[[], bool], Reply[None]]] = []

    def _carry_out(self, moves: list[Move]) -> None:
        raise NotImplementedError

    def _look_around(self) -> None:
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

    @handles(DrainCandidate)
    def _drain(self, request: DrainCandidate) -> Reply[None]:
        reply = self.context.defer()
        target = self._dispatcher.targets.get(request.candidate)
        if target is None:
            reply.fail(ChildNotFound(self.context.path, request.candidate))
        else:
            target.is_drained = True
            self._drains.append((lambda: not target.attempts, reply))
            self._look_around()
            self._answer_drained()
        return reply

    @handles(AwaitIdle)
    def _await_idle(self, _request: AwaitIdle) -> Reply[None]:
        reply = self.context.defer()
        self._drains.append((lambda: not self._dispatcher.in_hand, reply))
        self._answer_drained()
        return reply

    def _answer_drained(self) -> None:
        """Answer those who wait until there is nothing in hand any more."""
        for waiting in tuple(self._drains):
            is_drained, reply = waiting
            if not reply.is_open:
                self._drains.remove(waiting)
            elif is_drained():
                self._drains.remove(waiting)
                reply.set(None)

    @handles(OrderCandidates)
    def _order_candidates(self, request: OrderCandidates) -> None:
        self._dispatcher.ordered(request.candidates)

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
