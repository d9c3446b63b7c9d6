"""The service as an ASGI app: to mount in another app, or to serve alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from failsoft.actors import Ref, System
from failsoft.service.http.callers import ApiKeys, check_hash, check_operator, is_operator
from failsoft.service.http.correlation import Correlated
from failsoft.service.http.endpoint import Endpoint, EndpointApp
from failsoft.service.http.error_body import headers_of, openai_body, plain_body, status_of
from failsoft.service.http.exchange import Exchange
from failsoft.service.http.gateway import Gateway
from failsoft.service.http.generate import GENERATE
from failsoft.service.http.generate_image import GENERATE_IMAGE
from failsoft.service.http.health import HEALTH
from failsoft.service.http.live import live_endpoint
from failsoft.service.http.observed import Observed
from failsoft.service.http.openai.chat import CHAT
from failsoft.service.http.openai.completions import COMPLETIONS
from failsoft.service.http.openai.embeddings import EMBEDDINGS
from failsoft.service.http.openai.images import IMAGES
from failsoft.service.http.openai.models import MODELS
from failsoft.service.http.openapi import openapi
from failsoft.service.http.operator import OPERATOR
from failsoft.service.http.operator_flight import FLIGHT
from failsoft.service.http.operator_pool import POOL_OPERATOR
from failsoft.service.http.page_files import page_routes
from failsoft.service.http.policy import HttpPolicy
from failsoft.service.http.refusals import MethodNotAllowed, NotFound, Refused, Unauthorized
from failsoft.service.http.shortcut import Shortcut
from failsoft.service.http.status import STATUS
from failsoft.supervisors import ChildSpec

# Looked at in order: the busiest first.
_ENDPOINTS: Final = (
    CHAT,
    *GENERATE,
    GENERATE_IMAGE,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGES,
    *HEALTH,
    *STATUS,
    *MODELS,
)
_POLICY: Final = HttpPolicy()


class FailsoftApp(Starlette):
    """Serve a supervision tree over HTTP; made by ``failsoft_app``.

    gateway: what stands between HTTP and the tree; ``drain`` has it take no more work.
    """

    def __init__(self, gateway: Gateway, endpoints: tuple[Endpoint, ...], **options: Any) -> None:
        self.gateway = gateway
        self.endpoints = endpoints
        super().__init__(lifespan=self.lifespan, **options)
        self.router.redirect_slashes = False

    def lifespan(self, _app: Any = None) -> AbstractAsyncContextManager[None]:
        """Give the block in which the tree runs: a lifespan for whatever app this is mounted in.

        An app runs no lifespan but its own. Served alone, this one is run by the server.
        """
        return _Running(self.gateway)

    @property
    def system(self) -> System:
        """Give the system that the tree runs in. Raise ModelOverloaded where it doesn't."""
        return self.gateway.system

    def model(self, name: str) -> Ref:
        """Give who answers by that name, to ask in your own code.

        Raise NoSuchActor; ModelOverloaded where the tree doesn't run, ModelNotFound.
        """
        return self.gateway.models.named(self.system, name)


class _Running:
    """Run the tree, and yield no state: what a lifespan yields is put into each request's scope."""

    def __init__(self, gateway: Gateway) -> None:
        self._running = gateway.running()

    async def __aenter__(self) -> None:
        await self._running.__aenter__()

    async def __aexit__(self, *exception: Any) -> bool | None:
        return await self._running.__aexit__(*exception)


def failsoft_app(
    served: ChildSpec | System,
    *,
    routes: Mapping[str, str] | None = None,
    policy: HttpPolicy = _POLICY,
    keys: ApiKeys | None = None,
    operator_hash: str | None = None,
    beside: Sequence[ChildSpec] = (),
) -> FailsoftApp:
    """Make the service for a tree, as an ASGI app.

    served: the tree, which is started and stopped by the app's lifespan; or a System that you run.
    routes: the names by which callers know the models → the paths of who answers, a router as a
        rule; of a tree, without it, all routers by their names.
    keys: without them, anybody who reaches the service may ask.
    operator_hash: ``hashed`` of the operators' token; without it what operators can do is off.
    beside: trees that are started before ``served``, and stand beside its root: what is to hear of
        that one's end, such as a flight recorder.
    """
    if operator_hash is not None:
        check_hash(operator_hash)
    gateway = Gateway(served, routes, policy, keys, beside)
    endpoints = (
        _ENDPOINTS
        if operator_hash is None
        else (
            *_ENDPOINTS,
            *OPERATOR,
            *POOL_OPERATOR,
            FLIGHT,
        )
    )
    document = msgspec.json.encode(openapi(endpoints, has_keys=keys is not None))

    async def show_openapi(exchange: Exchange) -> None:
        await exchange.answer(document)

    shown = Endpoint(
        method="GET",
        path="/openapi.json",
        summary="Give this document.",
        handler=show_openapi,
        access="open",
    )
    endpoint_routes = [
        Route(
            each.path,
            EndpointApp(each, gateway, functools.partial(_admit, each, operator_hash)),
            methods=[each.method],
        )
        for each in (*endpoints, shown, live_endpoint(gateway, operator_hash))
    ]
    return FailsoftApp(
        gateway,
        endpoints,
        routes=[*endpoint_routes, *page_routes()],
        middleware=[
            Middleware(Correlated),
            Middleware(Observed, gateway),
            Middleware(Shortcut, endpoint_routes),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )


def _admit(endpoint: Endpoint, operator_hash: str | None, exchange: Exchange) -> None:
    """Raise Unauthorized where the request may not come in."""
    if endpoint.access == "callers":
        try:
            exchange.caller = exchange.gateway.caller(exchange.headers)
        except Unauthorized:
            # Who may steer the service may ask it, too.
            if operator_hash is None or not is_operator(exchange.headers, operator_hash):
                raise
    elif endpoint.access == "operators":
        assert operator_hash is not None
        check_operator(exchange.headers, operator_hash)


def _not_found(request: Request, _error: Exception) -> Response:
    return _refused(request, NotFound("There is nothing here; /openapi.json tells what there is."))


def _not_allowed(request: Request, error: Exception) -> Response:
    allow = getattr(error, "headers", {}).get("Allow", "")
    refused = _refused(request, MethodNotAllowed(f"This path takes {allow} only."))
    refused.headers["allow"] = allow
    return refused


def _refused(request: Request, error: Refused) -> Response:
    is_openai = "/v1/" in request.url.path
    body = openai_body(error) if is_openai else plain_body(error)
    headers = {name.decode(): value.decode() for name, value in headers_of(error)}
    return Response(body, status_of(error), headers, "application/json")
