"""``/live``: the pictures of the live page, as server-sent events. Its form is the page's own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from failsoft.service.http.callers import is_operator
from failsoft.service.http.client_watch import ClientGone
from failsoft.service.http.endpoint import Endpoint
from failsoft.service.http.error_body import plain_body
from failsoft.service.http.event_stream import sending_events
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.gateway import Gateway
from failsoft.service.http.sampler import Sampler
from failsoft.service.page.picture import Beat, Hello

# Seconds without news after which the reader is told that there is none.
_BEAT: Final = 5.0
# A server that doesn't tell of its end waits for streams to end. The page asks again by itself.
_LONGEST: Final = 30.0


def live_endpoint(gateway: Gateway, operator_hash: str | None) -> Endpoint:
    """Give the endpoint. operator_hash: of the token of those who may steer, if anybody may."""
    sampler = Sampler(gateway)

    async def live(exchange: Exchange) -> None:
        """Send a picture, and another one whenever it is a different one."""
        may_steer = operator_hash is not None and is_operator(exchange.headers, operator_hash)
        # Whoever looks leaves at some time: that is no failure.
        with sampler.looks(), contextlib.suppress(ClientGone):
            async with sending_events(exchange, plain_body, "error"):
                picture = await sampler.take()
                hello = Hello(
                    at=picture.at,
                    is_operator=may_steer,
                    has_operators=operator_hash is not None,
                    rates=tuple(sampler.rates.past),
                )
                await exchange.send_event(hello, "hello")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if gateway.is_told_of_end else _LONGEST):
                        await _show(exchange, sampler)

    return Endpoint(
        method="GET", path="/live", summary="Show the tree as it changes.", handler=live
    )


async def _show(exchange: Exchange, sampler: Sampler) -> None:
    gateway = exchange.gateway
    seen = 0
    told_at = 0.0
    while not gateway.is_ending or gateway.in_hand:
        picture = await sampler.take()
        if picture.number != seen:
            await exchange.send_event(picture.body, picture.name)
            seen, told_at = picture.number, picture.at
        elif picture.at - told_at >= _BEAT:
            await exchange.send_event(Beat(picture.at), "beat")
            told_at = picture.at
        await sampler.wait(picture)
