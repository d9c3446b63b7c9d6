"""What an operator can see and steer of a router while it runs."""

from __future__ import annotations

from typing import Literal

from failsoft.messages import Control, Request
from failsoft.supervisors.routing.poison import QuarantineEntry
from failsoft.supervisors.routing.target import CandidateInfo


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
