"""Spans of requests over HTTP: what OpenTelemetry's conventions want told of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.trace import Span, StatusCode

from failsoft.messages.http_events import HttpRequestFinished

# A caller's text, of which a span needn't have more.
_MOST_CHARACTERS: Final = 500
_SERVER_ERROR: Final = 500
_OTHER: Final = "_OTHER"


def name_of(method: str, route: str = "") -> str:
    """Give the name of a span, by method and template: never by a path, which are without bound."""
    return f"{'HTTP' if method == _OTHER else method} {route}".rstrip()


def told_at_arrival(method: str, scope: Mapping[str, Any]) -> dict[str, str]:
    """Give the attributes that ASGI's scope tells. No query: it may hold a key, and isn't used."""
    told = {
        "http.request.method": method,
        "url.path": scope["path"],
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if method == _OTHER:
        told["http.request.method_original"] = scope["method"]
    if client := scope.get("client"):
        told["client.address"] = client[0]
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), None)
    if agent is not None:
        told["user_agent.original"] = agent.decode("latin-1")
    return {name: str(value)[:_MOST_CHARACTERS] for name, value in told.items()}


def tell_end(span: Span, event: HttpRequestFinished) -> None:
    """Give ``span`` its whole name, and what is known at the end alone."""
    span.update_name(name_of(event.method, event.route))
    if event.route:
        span.set_attribute("http.route", event.route)
    if event.status:
        span.set_attribute("http.response.status_code", event.status)
    if event.error_type:
        span.set_attribute("error.type", event.error_type)
        # The status code says it, where there is one.
        said = None if event.status >= _SERVER_ERROR else event.error_type
        span.set_status(StatusCode.ERROR, said)
