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
    kinds = [kind for each in endpoints for kind in (each.body, each.reply) if kind is not None]
    schemas, components = msgspec.json.schema_components(
        [*kinds, Failure, OpenAIErrorBody], ref_template=_REFERENCE
    )
    by_kind = dict(zip([*map(repr, kinds), "plain", "openai"], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        path = _PARAMETER.sub(r"{\1}", each.path)
        told = _operation(each, by_kind, has_keys)
        paths.setdefault(path, {})[each.method.lower()] = told
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
    content: dict[str, Any] = {"text/plain": {}}
    if endpoint.reply is not None:
        content = {"application/json": {"schema": schemas[repr(endpoint.reply)]}}
    if "stream" in getattr(endpoint.body, "__struct_fields__", ()):
        content["text/event-stream"] = {}
    told: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}{re.sub(r'[^a-z0-9]+', '_', endpoint.path)}",
        "responses": {
            "200": {"description": "Done.", "content": content},
            "default": {
                "description": "What went wrong.",
                "content": {"application/json": {"schema": error}},
            },
        },
    }
    names = _PARAMETER.findall(endpoint.path)
    if names:
        told["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in names
        ]
    if endpoint.body is not None:
        schema = schemas[repr(endpoint.body)]
        told["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    if endpoint.access == "operators" or (has_keys and endpoint.access == "callers"):
        told["security"] = [{_BEARER: []}]
    return told
