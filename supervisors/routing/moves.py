"""Moves: what a dispatcher wants done, by whoever carries requests and answers for it."""

from __future__ import annotations

from typing import Any

import msgspec

from failsoft.messages.events import Event
from failsoft.supervisors.routing.route import Attempt, Route
from failsoft.supervisors.routing.target import Target


class Send(msgspec.Struct, frozen=True, gc=False):
    """Send the route's request to the attempt's target."""

    attempt: Attempt


class CallOff(msgspec.Struct, frozen=True):
    """Have the target stop its work on the request; its answer isn't wanted any more."""

    attempt: Attempt


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Answer the request with what its target gave; it is over. at: when."""

    route: Route
    value: Any
    at: float


class Refuse(msgspec.Struct, frozen=True):
    """Answer the request with an error; it is over."""

    route: Route
    error: Exception
    at: float


class GiveUp(msgspec.Struct, frozen=True):
    """Take note that the request is over, without an answer from here.

    outcome: ``cancelled``, or ``inference_timeout`` where its deadline has passed.
    """

    route: Route
    outcome: str
    at: float


class Later(msgspec.Struct, frozen=True):
    """Call ``Dispatcher.due`` in so many seconds, where the route isn't over by then."""

    route: Route
    seconds: float


class HedgeLater(msgspec.Struct, frozen=True):
    """Call ``Dispatcher.hedge`` in so many seconds."""

    attempt: Attempt
    seconds: float


class LookLater(msgspec.Struct, frozen=True):
    """Call ``Dispatcher.look_again`` at the target in so many seconds."""

    target: Target
    seconds: float


class Tell(msgspec.Struct, frozen=True):
    """Publish an event of this kind."""

    kind: type[Event]
    fields: dict[str, Any]


Move = Send | CallOff | Answer | Refuse | GiveUp | Later | HedgeLater | LookLater | Tell
