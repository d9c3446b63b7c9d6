"""What an operator can do while the service runs. Off where there is no operator's token."""

from __future__ import annotations

import contextlib
from typing import Any, Final, Literal, TypeVar

import msgspec

from failsoft.actors import Ref
from failsoft.messages import Request
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.refusals import InvalidBody, NotFound
from failsoft.supervisors import (
    ClearQuarantine,
    DrainCandidate,
    ForceBreaker,
    ListQuarantine,
    QuarantineEntry,
    ResetBreaker,
    Resize,
    RestartChild,
    Rollout,
    StartChildWith,
    TerminateChild,
    WhichChildren,
)
from failsoft.supervisors.errors import ChildNotFound, ChildRestarting, ChildRunning
from failsoft.telemetry.probes import nodes

AnswerT = TypeVar("AnswerT")

_LIMIT: Final = 120.0
# What an order wants of the actor that it goes to; how it is said to who gave another's path.
_NEEDS: Final[dict[type[Request[Any]], str]] = {
    WhichChildren: "is below no supervisor",
    DrainCandidate: "is no model of a router's; these alone can be drained",
    ForceBreaker: "is no model of a router's, and so has no circuit",
    ResetBreaker: "is no model of a router's, and so has no circuit",
    ClearQuarantine: "is no router",
    Rollout: "is no pool; these alone have replicas",
    Resize: "is no pool; these alone have replicas",
}


class RestartBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Stop a child of a supervisor, in order, and start it again. path: of the child."""

    path: str


class DrainBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take no more work. path: of a router's candidate; null for the whole service."""

    path: str | None = None


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
    """Restart a child; answered once it is up. There is no deadline: it would stay stopped."""
    body = await exchange.read(RestartBody)
    parent, id = _parent(exchange, body.path)
    await _check_is_kept(exchange, parent, id)
    await order(exchange, parent, TerminateChild(id))
    note(exchange, body.path, "an operator restarts it")
    # Another operator may have started it since.
    with contextlib.suppress(ChildRunning, ChildRestarting):
        await order(exchange, parent, RestartChild(id))
    await exchange.answer(Done())


async def breaker(exchange: Exchange) -> None:
    """Force, free or reset a circuit."""
    body = await exchange.read(BreakerBody)
    exchange.allow(_LIMIT)
    router, id = _parent(exchange, body.path)
    match body.state:
        case "reset":
            await order(exchange, router, ResetBreaker(id))
            note(exchange, body.path, "an operator reset its circuit")
        case "free":
            await order(exchange, router, ForceBreaker(id, None))
            note(exchange, body.path, "an operator let go of its circuit")
        case "open" | "closed" as state:
            await order(exchange, router, ForceBreaker(id, state))
            if state == "closed":  # that it opened is told by the router
                note(exchange, body.path, "an operator holds its circuit closed")
    await exchange.answer(Done())


async def list_quarantine(exchange: Exchange) -> None:
    """Answer with the requests that are refused, by router."""
    gateway = exchange.gateway
    held: dict[str, tuple[QuarantineEntry, ...]] = {}
    for node in nodes(gateway.tree()):
        ref = gateway.system.find(node.path)
        if ref is not None and ListQuarantine in ref.address.accepts:
            held[node.path] = await ref.ask(ListQuarantine(), timeout=_LIMIT)
    await exchange.answer(held)


async def clear_quarantine(exchange: Exchange) -> None:
    """Take requests again."""
    body = await exchange.read(QuarantineBody)
    exchange.allow(_LIMIT)
    router = ref_at(exchange, body.path)
    count = await order(exchange, router, ClearQuarantine(body.fingerprint))
    note(exchange, body.path, f"an operator cleared its quarantine: {count} kinds of requests")
    await exchange.answer(Done(count=count))


async def drain(exchange: Exchange) -> None:
    """Take no more work from here on; of a candidate, answered once it is idle, and stopped.

    Where that is the whole service, readiness is false; it ends by SIGTERM alone. There is no
    deadline: the model would take no requests, and never stop.
    """
    body = await exchange.read(DrainBody)
    if body.path is None:
        exchange.gateway.drain()
        await exchange.answer(Done())
        return
    router, id = _parent(exchange, body.path)
    _check(router, DrainCandidate)
    if exchange.gateway.system.find(body.path) is not None:
        note(exchange, body.path, "an operator drains it")
    await order(exchange, router, DrainCandidate(id))
    await order(exchange, router, TerminateChild(id))
    await exchange.answer(Done())


def _parent(exchange: Exchange, path: str) -> tuple[Ref, str]:
    parent, _, id = path.rpartition("/")
    if not parent and exchange.gateway.system.find(path) is not None:
        raise InvalidBody.in_fields({"path": "is the top of the tree: restart the service"})
    return ref_at(exchange, parent), id


def ref_at(exchange: Exchange, path: str) -> Ref:
    """Give the way to an actor. Raise InvalidBody where there is none."""
    ref = exchange.gateway.system.find(path)
    if ref is None:
        raise InvalidBody.in_fields({"path": "leads to no supervisor of the tree; see /tree"})
    return ref


async def order(exchange: Exchange, ref: Ref, request: Request[AnswerT]) -> AnswerT:
    """Give an order. Raise InvalidBody where the actor takes none such, NotFound for a child."""
    # Not called off where the client leaves: what is half done would stay so.
    _check(ref, type(request))
    try:
        return await ref.ask(request, deadline=exchange.deadline)
    except ChildNotFound as error:
        raise NotFound(f"{error.path} has no child {error.id!r}; see /tree.") from error


async def _check_is_kept(exchange: Exchange, parent: Ref, id: str) -> None:
    """Raise InvalidBody for a child that its supervisor forgets once it is stopped."""
    children = await order(exchange, parent, WhichChildren())
    is_temporary = any(each.id == id and each.restart == "temporary" for each in children)
    if is_temporary or StartChildWith in parent.address.accepts:
        raise InvalidBody.in_fields({"path": "would be gone: its supervisor starts it only once"})


def _check(ref: Ref, kind: type[Request[Any]]) -> None:
    """Raise InvalidBody where the actor takes no such order."""
    if kind not in ref.address.accepts:
        raise InvalidBody.in_fields({"path": _NEEDS[kind]})


def note(exchange: Exchange, path: str, says: str) -> None:
    """Have it be seen on the live page that an operator did it."""
    exchange.gateway.history.note(path, says, exchange.gateway.system.clock.now())


def order_endpoint(path: str, summary: str, handler: Any, body: type | None) -> Endpoint:
    """Describe an operator's order."""
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
    order_endpoint("/operator/restart", "Restart a child.", restart, RestartBody),
    order_endpoint("/operator/breaker", "Steer a circuit.", breaker, BreakerBody),
    order_endpoint("/operator/drain", "Take no more work.", drain, DrainBody),
    Endpoint(
        method="GET",
        path="/operator/quarantine",
        summary="List the requests that are refused for having taken down workers.",
        handler=list_quarantine,
        reply=dict[str, tuple[QuarantineEntry, ...]],
        access="operators",
    ),
    order_endpoint(
        "/operator/quarantine/clear", "Take such requests again.", clear_quarantine, QuarantineBody
    ),
)
