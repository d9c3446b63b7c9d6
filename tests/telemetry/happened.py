"""What telemetry's tests publish, and how they read what comes of it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from failsoft.actors import Ref, System
from failsoft.messages.events import RequestFinished
from failsoft.messages.http_events import HttpRequestFinished
from failsoft.telemetry import Scrape


def finish(system: System, path: str = "root/text", **fields: object) -> None:
    """Publish that a request is finished; well, where ``fields`` don't say otherwise."""
    well: dict[str, object] = {
        "request": "GenerateText",
        "outcome": "ok",
        "seconds": 0.5,
        "queue_seconds": 0.05,
        "first_seconds": 0.1,
        "model_used": "primary",
        "was_fallback": False,
        "attempts": 1,
        "degradation_level": "full",
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "correlation_id": "c-1",
    }
    system.events.publish(RequestFinished, path, **{**well, **fields})


def fail(system: System, kind: str, **fields: object) -> None:
    """Publish that a request failed with an error of ``kind``."""
    nothing: dict[str, object] = {"model_used": "", "first_seconds": None, "completion_tokens": 0}
    finish(system, "root/text", outcome=kind, **{**nothing, **fields})


def finish_http(system: System, **fields: object) -> None:
    """Publish that a request over HTTP is finished; well, where ``fields`` don't say otherwise."""
    well: dict[str, object] = {
        "method": "POST",
        "scheme": "http",
        "route": "/generate",
        "status": 200,
        "error_type": "",
        "seconds": 0.5,
        "correlation_id": "c-1",
    }
    system.events.publish(HttpRequestFinished, "http", **{**well, **fields})


async def scraped(metrics: Ref) -> list[Sample]:
    """Give all samples, as Prometheus's parser reads them."""
    text = (await metrics.ask(Scrape())).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


async def value(metrics: Ref, name: str, **labels: str) -> float | None:
    """Give the value of the one sample of ``name`` that has these labels; None for none."""
    found = [
        sample.value
        for sample in await scraped(metrics)
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) < 2, f"{len(found)} samples of {name} have {labels}"
    return found[0] if found else None
