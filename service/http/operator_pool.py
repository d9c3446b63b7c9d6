"""What an operator can do to a pool while the service runs: another size, new replicas."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from failsoft.messages import Request
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.operator import Done, note, order, order_endpoint, ref_at
from failsoft.service.http.refusals import NotDone
from failsoft.supervisors import PoolBusy, ReplicaFailed, Resize, Rollout, RolloutFailed


class RolloutBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Replace all replicas of a pool, one at a time. path: of the pool."""

    path: str


class ResizeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Have a pool be of another size. path: of the pool."""

    path: str
    replicas: Annotated[int, msgspec.Meta(ge=1, le=1000)]


async def rollout(exchange: Exchange) -> None:
    """Roll a pool out; answered once all are replaced. There is no deadline: it goes on anyway."""
    body = await exchange.read(RolloutBody)
    await _do(exchange, body.path, Rollout(), "an operator has its replicas replaced")


async def resize(exchange: Exchange) -> None:
    """Have a pool grow or shrink; answered once it has."""
    body = await exchange.read(ResizeBody)
    says = f"an operator wants {body.replicas} replicas"
    await _do(exchange, body.path, Resize(body.replicas), says)


async def _do(exchange: Exchange, path: str, request: Request[int], says: str) -> None:
    pool = ref_at(exchange, path)
    note(exchange, path, says)
    try:
        count = await order(exchange, pool, request)
    except (PoolBusy, ReplicaFailed, RolloutFailed) as error:
        raise NotDone(f"{error}.") from error
    await exchange.answer(Done(count=count))


POOL_OPERATOR: Final = (
    order_endpoint(
        "/operator/rollout", "Replace a pool's replicas, one at a time.", rollout, RolloutBody
    ),
    order_endpoint("/operator/resize", "Have a pool be of another size.", resize, ResizeBody),
)
