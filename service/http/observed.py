"""Observed: what became of each request over HTTP, told once it is over to whoever listens."""

from __future__ import annotations

from typing import Any, Final

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from failsoft.actors import System, current_correlation_id
from failsoft.actors.tracing import Tracing
from failsoft.messages import InferenceError
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.service.http.gateway import Gateway
from failsoft.telemetry.active_requests import ActiveRequests

# Of the scope: what an endpoint failed with, by its kind.
ERROR_TYPE: Final = "failsoft.error_type"

_OTHER: Final = "_OTHER"
# Those that OpenTelemetry's conventions know: a label mustn't hold what a caller made up.
_METHODS: Final = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
)
_SCHEMES: Final = frozenset(("http", "https"))
_SERVER_ERROR: Final = 500
_CLIENT_ERROR: Final = 400


class Observed:
    """Count requests while they are under way, and publish HttpRequestFinished of each.

    It is measured to the last byte, streams too. Where nobody listens, nothing is measured; where
    no tree runs, there is nobody to be told.
    """

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        system = self._system() if scope["type"] == "http" else None
        if system is None:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        scheme = scope.get("scheme", "http")
        kind = method, scheme if scheme in _SCHEMES else _OTHER
        active = system.extension(ActiveRequests)
        active.begin(kind)
        try:
            if not system.events.hears(HttpRequestFinished):
                await self._app(scope, receive, send)
                return
            begin = system.extension(Tracing).begin_http
            traceparent = None if begin is None else begin(method, scope)
            await _Observation(system, kind, traceparent).run(self._app, scope, receive, send)
        finally:
            active.end(kind)

    def _system(self) -> System | None:
        try:
            return self._gateway.system
        except InferenceError:
            return None


class _Observation:
    """Be the observation of one request."""

    __slots__ = ("_began_at", "_kind", "_send", "_status", "_system", "_traceparent")

    def __init__(self, system: System, kind: tuple[str, str], traceparent: str | None) -> None:
        self._system = system
        self._kind = kind
        self._traceparent = traceparent
        self._began_at = system.clock.now()
        self._status = 0

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._send = send
        try:
            await app(scope, receive, self._send_on)
        except BaseException as error:
            scope.setdefault(ERROR_TYPE, type(error).__qualname__)
            if isinstance(error, Exception):
                # Starlette answers so, above all of this.
                self._status = self._status or _SERVER_ERROR
            raise
        finally:
            self._tell(scope)

    async def _send_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        await self._send(message)

    def _tell(self, scope: Scope) -> None:
        method, scheme = self._kind
        self._system.events.publish(
            HttpRequestFinished,
            "http",
            method=method,
            scheme=scheme,
            route=_route(scope),
            status=self._status,
            error_type=_error_type(self._status, scope.get(ERROR_TYPE, "")),
            seconds=self._system.clock.now() - self._began_at,
            correlation_id=current_correlation_id(),
            traceparent=self._traceparent,
        )


def _route(scope: Scope) -> str:
    """Give the template of the path; without the app's root, which a caller may have a part in."""
    route: Any = scope.get("route")
    # Where nothing was found, it is still what this app is mounted by.
    return route.path if isinstance(route, Route) else ""


def _error_type(status: int, noted: str) -> str:
    if status >= _SERVER_ERROR:
        return noted or str(status)
    return "" if status >= _CLIENT_ERROR else noted
