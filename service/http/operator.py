"""What an operator can do while the service runs. Off where there is no operator's token."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeVar

import msgspec

from failsoft.actors import Ref
from failsoft.messages import Request
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.refusals import InvalidBody, NotFound
from failsoft.supervisors import (
    ClearQuarantine,
    ForceBreaker,
    ListQuarantine,
    QuarantineEntry,
    ResetBreaker,
    RestartChild,
    TerminateChild,
)
from failsoft.supervisors.errors import ChildNotFound, ChildRestarting, ChildRunning

AnswerT = TypeVar("AnswerT")

_LIMIT: Final = 120.0


class RestartBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stop a child of a supervisor, in order, and start it again. path: of the child."""

    path: str


class BreakerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steer the circuit in front of a model.

    path: of the candidate. state: ``open`` or ``closed`` holds it so, ``free`` lets go of it,
    ``reset`` closes it and forgets its failures.
    """

    path: str
    state: Literal["open", "closed", "free", "reset"]


class QuarantineBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take requests again that a router refuses. fingerprint: of which; null for all."""

    path: str
    fingerprint: str | None = None


class Done(msgspec.Struct, frozen=True):
    """Tell that it was done. count: how many it was done to."""

    done: bool = True
    count: int = 1


async def restart(exchange: Exchange) -> None:
    """Restart a child; answered once it is up."""
    body = await exchange.read(RestartBody)
    exchange.allow(_LIMIT)
    parent, id = _parent(exchange, body.path)
    await _order(exchange, parent, TerminateChild(id))
    await _order(exchange, parent, RestartChild(id))
    await exchange.answer(Done())


async def breaker(exchange: Exchange) -> None:
    """Force, free or reset a circuit."""
    body = await exchange.read(BreakerBody)
    exchange.allow(_LIMIT)
    router, id = _parent(exchange, body.path)
    match body.state:
        case "reset":
            await _order(exchange, router, ResetBreaker(id))
        case "free":
            await _order(exchange, router, ForceBreaker(id, None))
        case "open" | "closed" as state:
            await _order(exchange, router, ForceBreaker(id, state))
    await exchange.answer(Done())


async def list_quarantine(exchange: Exchange) -> None:
    """Answer with the requests that are refused, by router."""
    gateway = exchange.gateway
    held: dict[str, tuple[QuarantineEntry, ...]] = {}
    for node in (each for top in gateway.tree() for each in top.walk()):
        if "candidates" in node.shows:
            ref = gateway.system.ref(node.path)
            held[node.path] = await ref.ask(ListQuarantine(), timeout=_LIMIT)
    await exchange.answer(held)


async def clear_quarantine(exchange: Exchange) -> None:
    """Take requests again."""
    body = await exchange.read(QuarantineBody)
    exchange.allow(_LIMIT)
    router = _ref(exchange, body.path)
    count = await _order(exchange, router, ClearQuarantine(body.fingerprint))
    await exchange.answer(Done(count=count))


async def drain(exchange: Exchange) -> None:
    """Take no more work from here on; readiness is false. The service ends by SIGTERM alone."""
    exchange.gateway.drain()
    await exchange.answer(Done())


def _parent(exchange: Exchange, path: str) -> tuple[Ref, str]:
    parent, _, id = path.rpartition("/")
    return _ref(exchange, parent), id


def _ref(exchange: Exchange, path: str) -> Ref:
    ref = exchange.gateway.system.find(path)
    if ref is None:
        raise InvalidBody.in_fields({"path": "leads to no supervisor of the tree; see /tree"})
    return ref


async def _order(exchange: Exchange, ref: Ref, request: Request[AnswerT]) -> AnswerT:
    # Not called off where the client leaves: what is half done would stay so.
    if type(request) not in ref.address.accepts:
        raise InvalidBody.in_fields(
            {"path": f"is of an actor that takes no {type(request).__name__}"}
        )
    try:
        return await ref.ask(request, deadline=exchange.deadline)
    except ChildNotFound as error:
        raise NotFound(f"{error}.") from error
    except (ChildRestarting, ChildRunning) as error:
        raise InvalidBody.in_fields({"path": str(error)}) from error


def _order_endpoint(path: str, summary: str, handler: Any, body: type | None) -> Endpoint:
    return Endpoint(
        method="POST",
        path=path,
        summary=summary,
        handler=handler,
        body=body,
        reply=Done,
        access="operators",
    )


OPERATOR: Final = (
    _order_endpoint("/operator/restart", "Restart a child.", restart, RestartBody),
    _order_endpoint("/operator/breaker", "Steer a circuit.", breaker, BreakerBody),
    _order_endpoint("/operator/drain", "Take no more work.", drain, None),
    Endpoint(
        method="GET",
        path="/operator/quarantine",
        summary="List the requests that are refused for having taken down workers.",
        handler=list_quarantine,
        reply=dict[str, tuple[QuarantineEntry, ...]],
        access="operators",
    ),
    _order_endpoint(
        "/operator/quarantine/clear", "Take such requests again.", clear_quarantine, QuarantineBody
    ),
)
