"""The OpenAPI document, and the service held against it by schemathesis."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from failsoft.service.http import ApiKeys, Caller, failsoft_app, hashed
from failsoft.service.http.openapi import openapi
from failsoft.supervisors import supervisor

from .served import PATIENCE, ServedProcess

KEY = hashed("a key of some length")


ENDPOINTS = failsoft_app(supervisor("root")).endpoints
SCHEMA = schemathesis.openapi.from_dict(openapi(ENDPOINTS, has_keys=False))


@pytest.mark.parametrize("path", [each.path.replace(":path", "") for each in ENDPOINTS])
def test_whatever_comes_in_the_answer_is_in_the_document(service: ServedProcess, path: str) -> None:
    """No input fails the service, and each answer has the form that is told."""
    (operation,) = SCHEMA[path].values()

    @settings(max_examples=20, derandomize=True, database=None)
    @given(operation.as_strategy())
    def answered(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=service.url, timeout=PATIENCE)
        # What can't be served is in the document too: it is refused by its name.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    answered()


def test_all_references_lead_somewhere(client: httpx2.Client) -> None:
    """And the document is one that is made of JSON alone."""
    document = client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    names = document["components"]["schemas"]
    assert {"ChatBody", "ChatCompletion", "GenerateBody", "Failure", "OpenAIErrorBody"} <= set(
        names
    )

    def references(part: Any) -> list[str]:
        if isinstance(part, list):
            return [each for item in part for each in references(item)]
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + references(list(part.values()))
        return []

    assert {each.rpartition("/")[2] for each in references(document)} <= set(names)


def test_what_is_behind_a_key_says_so() -> None:
    """Callers' and operators' endpoints; the probes are open, and without keys all is."""

    def locked(**options: Any) -> set[str]:
        app = failsoft_app(supervisor("root"), **options)
        paths = openapi(app.endpoints, has_keys="keys" in options)["paths"]
        return {path for path, told in paths.items() if "security" in next(iter(told.values()))}

    assert locked() == set()
    with_keys = locked(keys=ApiKeys({KEY: Caller()}))
    assert {"/generate", "/v1/models", "/metrics"} <= with_keys
    assert {"/livez", "/health"}.isdisjoint(with_keys)
    operators = locked(operator_hash=KEY)
    assert operators == {
        *("/operator/restart", "/operator/breaker", "/operator/drain"),
        *("/operator/quarantine", "/operator/quarantine/clear"),
    }
