"""Health, the three probes, and what the service tells of itself."""

from __future__ import annotations

import httpx2
import pytest


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/startupz"])
def test_probes(client: httpx2.Client, path: str) -> None:
    """They are well where the tree is."""
    client.post("/generate", json={"prompt": "the first load is over with the first answer"})
    client.post("/generate", json={"prompt": "here too", "model": "single"})
    answer = client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "reasons": []})


def test_health(client: httpx2.Client) -> None:
    """As the health actor has it."""
    answer = client.get("/health")
    told = answer.json()
    assert (answer.status_code, told["status"], told["critical_failures"]) == (200, "healthy", [])
    assert told["models"].keys() >= {"root/text/primary", "root/single/only"}


def test_status(client: httpx2.Client) -> None:
    """Circuits, models, the load's level, and the last hour's errors."""
    told = client.get("/status").json()
    assert told["status"] == "up"
    assert told["breakers"]["root/crowd/all"] == "closed"
    assert told["degradation_level"] == "full"
    assert told["last_hour"].keys() == {"total", "error_types", "top_patterns", "per_minute"}


def test_error_metrics(client: httpx2.Client) -> None:
    """An error that a caller got is among them, by its correlation id."""
    client.post("/generate", json={"prompt": "memory"}, headers={"X-Correlation-ID": "oops"})
    told = client.get("/error_metrics").json()
    assert told["error_types"]["out_of_memory"] >= 1
    assert "oops" in [error["correlation_id"] for error in told["recent"]]


@pytest.mark.parametrize(
    ("accept", "kind", "end"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", b""),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            b"# EOF\n",
        ),
    ],
)
def test_metrics(client: httpx2.Client, accept: str, kind: str, end: bytes) -> None:
    """In the form that is asked for."""
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"] == kind
    assert b"failsoft_build_info" in answer.content
    assert answer.content.endswith(end)


def test_the_tree(client: httpx2.Client) -> None:
    """All actors, as they are now."""
    (root,) = client.get("/tree").json()
    assert root["path"] == "root"
    assert [child["path"] for child in root["children"]][:2] == ["root/telemetry", "root/text"]
