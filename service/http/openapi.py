"""The OpenAPI document: made from the endpoints and the Structs of their bodies and answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import metadata
from typing import Any, Final

import msgspec

from failsoft.service.http.endpoint import Endpoint

_REFERENCE: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_BEARER: Final = "bearer"
# What an event without a name is called in a browser.
_UNNAMED: Final = "message"
# What each status of an error tells; which of them an endpoint may answer with is in _errors.
_STATUSES: Final = {
    400: "A model refused it.",
    401: "A key or a token is missing, or is none.",
    404: "There is no model, or nothing else, by that name.",
    408: "The body took too long to come.",
    413: "The body is too large.",
    415: "The body isn't said to be JSON.",
    422: "It isn't valid; `field_errors` tells all that is wrong, by path.",
    429: "Too much is asked for now, and others went before it.",
    500: "It failed.",
    503: "It can't be answered now.",
    504: "The deadline passed.",
    507: "The model's memory doesn't suffice for it.",
}
_OK: Final = 200
_TRY_LATER: Final = (429, 503)
_RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
}
_HEADERS: Final = {
    "X-Correlation-ID": ("Found again in answers, errors and log lines.", {"type": "string"}),
    "traceparent": ("The trace that this is a part of.", {"type": "string"}),
}
_TIMEOUT: Final = {
    "X-Request-Timeout": (
        "Seconds for the answer, before `timeout`.",
        {"type": "number", "exclusiveMinimum": 0},
    )
}


class OpenAIFailure(msgspec.Struct, frozen=True):
    """Be what went wrong. code: as ``error_type`` of ``Failure``."""

    message: str
    type: str
    param: str | None
    code: str
    failsoft: dict[str, Any]


class OpenAIErrorBody(msgspec.Struct, frozen=True):
    """Tell what went wrong, as the OpenAI API does."""

    error: OpenAIFailure


class Failure(msgspec.Struct, frozen=True):
    """Tell what went wrong. details: of a request that isn't valid, its ``field_errors``."""

    error: str
    error_type: str
    details: dict[str, Any]
    is_retryable: bool
    timestamp: str
    correlation_id: str | None


def openapi(endpoints: Sequence[Endpoint], *, has_keys: bool) -> dict[str, Any]:
    """Give the OpenAPI 3.1 document. has_keys: whether callers need one."""
    told = [(each.body, each.reply, *each.events.values()) for each in endpoints]
    kinds = [kind for several in told for kind in several if kind is not None]
    schemas, components = msgspec.json.schema_components(
        [*kinds, Failure, OpenAIErrorBody], ref_template=_REFERENCE
    )
    by_kind = dict(zip([*map(repr, kinds), "plain", "openai"], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        path = _PARAMETER.sub(r"{\1}", each.path)
        paths.setdefault(path, {})[each.method.lower()] = _operation(each, by_kind, has_keys)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "failsoft",
            "version": metadata.version("failsoft"),
            "summary": "Supervised inference.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {_BEARER: {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint, schemas: dict[str, Any], has_keys: bool) -> dict[str, Any]:
    error = schemas["openai" if endpoint.is_openai else "plain"]
    content: dict[str, Any] = {"text/plain": {"schema": {"type": "string"}}}
    if endpoint.reply is not None:
        content = {"application/json": {"schema": schemas[repr(endpoint.reply)]}}
    if endpoint.events:
        content["text/event-stream"] = _events(endpoint, schemas, error)
    is_locked = endpoint.access == "operators" or (has_keys and endpoint.access == "callers")
    told: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}{re.sub(r'[^a-z0-9]+', '_', endpoint.path)}",
        "responses": {
            **{str(status): _failed(status, error) for status in _errors(endpoint, is_locked)},
            **{str(status): _answered(status, content) for status in endpoint.statuses},
        },
    }
    told["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(endpoint.path)
    ] + [
        {"name": name, "in": "header", "description": words, "schema": schema}
        for name, (words, schema) in (_HEADERS | (_TIMEOUT if endpoint.is_work else {})).items()
    ]
    if endpoint.body is not None:
        schema = schemas[repr(endpoint.body)]
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if is_locked:
        told["security"] = [{_BEARER: []}]
    return told


def _errors(endpoint: Endpoint, is_locked: bool) -> list[int]:
    found = {500, 503} | ({401} if is_locked else set())
    if endpoint.access != "open":
        found |= {404, 504}
    if endpoint.body is not None:
        found |= {408, 413, 415, 422}
    if endpoint.is_work:
        found |= {400, 429, 507}
    return sorted(found)


def _answered(status: int, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": "Done." if status == _OK else "It is not well.", "content": content}


def _failed(status: int, error: dict[str, Any]) -> dict[str, Any]:
    told = {
        "description": _STATUSES[status],
        "content": {"application/json": {"schema": error}},
    }
    return told | ({"headers": _RETRY_AFTER} if status in _TRY_LATER else {})


def _events(endpoint: Endpoint, schemas: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    """Describe each event of a stream, by its fields: that is how OpenAPI 3.1 is read for these."""
    kinds = [_event(name, schemas[repr(kind)]) for name, kind in endpoint.events.items()]
    if endpoint.is_openai:
        kinds += [_event(_UNNAMED, error), _object({"data": {"const": "[DONE]"}})]
    else:
        kinds.append(_event("error", error))
    return {"schema": {"description": "Sent where `stream` is true.", "anyOf": kinds}}


def _event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    encoded = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    return _object(
        {"data": encoded} if name == _UNNAMED else {"event": {"const": name}, "data": encoded}
    )


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties]}
