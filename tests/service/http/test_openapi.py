"""The OpenAPI document, and the service held against it by schemathesis."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import given, settings

from failsoft.service.http import ApiKeys, Caller, failsoft_app, hashed
from failsoft.service.http.openapi import openapi
from failsoft.supervisors import supervisor

from .conformance import CONFIG
from .served import PATIENCE, ServedProcess

KEY = hashed("a key of some length")


ENDPOINTS = failsoft_app(supervisor("root")).endpoints
SCHEMA = schemathesis.openapi.from_dict(
    openapi(ENDPOINTS, has_keys=False), config=schemathesis.Config.from_path(CONFIG)
)


@pytest.mark.parametrize("path", [each.path.replace(":path", "") for each in ENDPOINTS])
def test_whatever_comes_in_the_answer_is_in_the_document(service: ServedProcess, path: str) -> None:
    """No input fails the service, and each answer has the form that is told."""
    (operation,) = SCHEMA[path].values()

    @settings(max_examples=20, derandomize=True, database=None)
    @given(operation.as_strategy())
    def answered(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=service.url, timeout=PATIENCE)
        case.validate_response(answer)

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


@pytest.mark.parametrize("path", ["/health", "/livez", "/readyz", "/startupz"])
def test_a_probe_that_says_no_has_its_own_form(path: str) -> None:
    """It is an answer, and no error, though its status is 503."""
    answers = openapi(ENDPOINTS, has_keys=False)["paths"][path]["get"]["responses"]
    assert answers["503"]["content"] == answers["200"]["content"]


@pytest.mark.parametrize(
    ("path", "statuses"),
    [
        ("/generate", "200 400 404 408 413 415 422 429 500 503 504 507"),
        ("/v1/models", "200 404 500 503 504"),
        ("/livez", "200 500 503"),
    ],
)
def test_each_status_is_told(path: str, statuses: str) -> None:
    """With when to come again, where that is; and a key that is missing, where there are keys."""
    (told,) = openapi(ENDPOINTS, has_keys=False)["paths"][path].values()
    assert " ".join(sorted(told["responses"])) == statuses
    assert "headers" not in told["responses"]["500"]
    if path == "/generate":
        assert "Retry-After" in told["responses"]["429"]["headers"]
    (locked,) = openapi(ENDPOINTS, has_keys=True)["paths"][path].values()
    assert ("401" in locked["responses"]) == (path != "/livez")


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
        *("/operator/quarantine", "/operator/quarantine/clear", "/operator/flight"),
        *("/operator/rollout", "/operator/resize"),
    }
