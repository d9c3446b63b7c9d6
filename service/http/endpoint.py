"""Endpoint: what the service does at one path, and how its errors look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import msgspec
import structlog
from starlette.types import Receive, Scope, Send

from failsoft.messages import InferenceError
from failsoft.service.http.client_watch import ClientGone
from failsoft.service.http.error_body import as_answer, openai_body, plain_body
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.gateway import Gateway
from failsoft.service.http.observed import ERROR_TYPE

log = structlog.get_logger("failsoft.http")

Access = Literal["open", "callers", "operators"]
Handler = Callable[[Exchange], Awaitable[None]]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Describe what is at a path: for the routing, and for the OpenAPI document.

    body, reply: the Structs of the request's body and of the answer; None for none, or no JSON.
    events: of a stream of events, which the body may ask for: their names, each with its Struct.
    statuses: that the answer may have.
    access: for everybody, for callers with a key (where there are keys), or for operators.
    is_work: it is refused while the service drains. is_openai: errors have OpenAI's shape.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    body: type | None = None
    reply: type | None = None
    events: Mapping[str, type] = {}
    statuses: tuple[int, ...] = (200,)
    access: Access = "callers"
    is_work: bool = False
    is_openai: bool = False

    @property
    def encode_error(self) -> Callable[[InferenceError], bytes]:
        return openai_body if self.is_openai else plain_body


class EndpointApp:
    """Be an endpoint as an ASGI app. admit: raises where the request may not come in."""

    def __init__(
        self, endpoint: Endpoint, gateway: Gateway, admit: Callable[[Exchange], object]
    ) -> None:
        self._handler = endpoint.handler
        self._encode_error = endpoint.encode_error
        self._is_work = endpoint.is_work
        self._gateway = gateway
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway = self._gateway
        exchange = Exchange(gateway, scope, receive, send)
        gateway.in_hand += self._is_work
        try:
            self._admit(exchange)
            if self._is_work:
                gateway.check_open()
            await self._handler(exchange)
        except ClientGone:
            scope[ERROR_TYPE] = "client_gone"
            log.debug("client_gone", http_path=scope["path"])
        except Exception as error:
            answer = as_answer(error)
            scope[ERROR_TYPE] = answer.kind
            if exchange.has_begun:
                raise  # too late for an answer: the server closes the connection
            await exchange.fail(answer, self._encode_error)
        finally:
            gateway.in_hand -= self._is_work
