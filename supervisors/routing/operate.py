"""What an operator can see and steer of a router while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, Literal, Protocol, TypeVar

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


class Steerable(Protocol):
    """Be one of those that requests are handed to. attempts: what it has in hand."""

    is_drained: bool

    @property
    def attempts(self) -> Mapping[Any, None]: ...

    def info(self, now: float) -> CandidateInfo: ...


SteeredT = TypeVar("SteeredT", bound=Steerable)


class Steered(Supervisor, Generic[SteeredT]):
    """Answer those requests that any supervisor can which hands requests to its children."""

    _now: Callable[[], float]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._drains: list[tuple[Callable[[], bool], Reply[None]]] = []

    def _steered(self) -> Mapping[str, SteeredT]:
        raise NotImplementedError

    def _in_hand(self) -> int:
        raise NotImplementedError

    def _force(self, target: SteeredT, state: Literal["open", "closed"] | None) -> None:
        raise NotImplementedError

    def _reset(self, target: SteeredT) -> None:
        raise NotImplementedError

    def _look_around(self) -> None:
        raise NotImplementedError

    @handles(WhichCandidates)
    def _which_candidates(self, _request: WhichCandidates) -> tuple[CandidateInfo, ...]:
        return tuple(target.info(self._now()) for target in self._steered().values())

    @handles(ForceBreaker)
    def _force_breaker(self, request: ForceBreaker) -> Reply[None]:
        return self._steer(request.candidate, lambda target: self._force(target, request.state))

    @handles(ResetBreaker)
    def _reset_breaker(self, request: ResetBreaker) -> Reply[None]:
        return self._steer(request.candidate, self._reset)

    @handles(DrainCandidate)
    def _drain(self, request: DrainCandidate) -> Reply[None]:
        reply = self.context.defer()
        target = self._steered().get(request.candidate)
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
        self._drains.append((lambda: not self._in_hand(), reply))
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

    def _steer(self, id: str, change: Callable[[SteeredT], None]) -> Reply[None]:
        reply = self.context.defer()
        target = self._steered().get(id)
        if target is None:
            # Not raised: that would be the supervisor's own failure.
            reply.fail(ChildNotFound(self.context.path, id))
        else:
            change(target)
            reply.set(None)
        return reply


class Operated(Steered[Target]):
    """Answer all of those requests, for a router."""

    _dispatcher: Dispatcher

    def _carry_out(self, moves: list[Move]) -> None:
        raise NotImplementedError

    def _steered(self) -> Mapping[str, Target]:
        return self._dispatcher.targets

    def _in_hand(self) -> int:
        return self._dispatcher.in_hand

    def _force(self, target: Target, state: Literal["open", "closed"] | None) -> None:
        self._carry_out(self._dispatcher.force(target, state, self._now()))

    def _reset(self, target: Target) -> None:
        self._carry_out(self._dispatcher.reset(target, self._now()))

    @handles(OrderCandidates)
    def _order_candidates(self, request: OrderCandidates) -> None:
        self._dispatcher.ordered(request.candidates)

    @handles(ListQuarantine)
    def _list_quarantine(self, _request: ListQuarantine) -> tuple[QuarantineEntry, ...]:
        return self._dispatcher.quarantine.entries(self._now())

    @handles(ClearQuarantine)
    def _clear_quarantine(self, request: ClearQuarantine) -> int:
        return self._dispatcher.quarantine.clear(request.fingerprint)
