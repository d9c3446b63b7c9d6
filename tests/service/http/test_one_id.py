"""TL-06: one request, and all that is told of it, from a real server to the worker and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from .served import HERE, ServedProcess

ID = "my request, number 1"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLERS_SPAN = "b7ad6b7169203331"
HEADERS = {"X-Correlation-ID": ID, "traceparent": f"00-{TRACE_ID}-{CALLERS_SPAN}-01"}


class Told:
    """Hold all that was told of a request for ``prompt``, once the service has ended."""

    def __init__(self, folder: Path, prompt: str) -> None:
        command = [str(HERE / "traced_program.py"), "{fd}", str(folder)]
        served = ServedProcess(command, folder / "log")
        try:
            with served.client() as client:
                self.answer = client.post("/generate", json={"prompt": prompt}, headers=HEADERS)
                self.errors = client.get("/error_metrics").json()["recent"]
                accept = {"Accept": "application/openmetrics-text"}
                self.metrics = client.get("/metrics", headers=accept).text
        finally:
            served.close()
        self.lines = [json.loads(line) for line in served.log.splitlines()]
        self.spans = [json.loads(line) for line in (folder / "spans").read_text().splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        """Give the lines of that event that are of the request: at least one."""
        lines = [line for line in self.lines if line["event"] == event]
        found = [line for line in lines if line.get("correlation_id") == ID]
        assert found, event
        return found

    def exemplars(self, family: str) -> list[dict[str, str]]:
        """Give the exemplars of that histogram that are of the request."""
        families = text_string_to_metric_families(self.metrics)  # type: ignore[no-untyped-call]
        samples = next(each for each in families if each.name == family).samples
        found = [sample.exemplar.labels for sample in samples if sample.exemplar]
        return [labels for labels in found if labels["correlation_id"] == ID]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Give what was told of a request that the model failed."""
    return Told(tmp_path_factory.mktemp("broken"), "break")


def test_the_answer_has_it(broken: Told) -> None:
    """TL-06 In its header and in its body."""
    assert broken.answer.status_code == 500
    assert broken.answer.headers["x-correlation-id"] == ID
    assert broken.answer.json()["correlation_id"] == ID


@pytest.mark.parametrize("event", ["RequestFinished", "HttpRequestFinished", "RequestServed"])
def test_the_lines_of_the_service_have_it(broken: Told, event: str) -> None:
    """TL-06 Of the router, of the endpoint, of the model actor; with the trace's id."""
    assert {line["trace_id"] for line in broken.of(event)} == {TRACE_ID}


def test_the_workers_lines_have_it(broken: Told) -> None:
    """TL-06 Written in another process, once for each try at the request."""
    served = {(line["path"], line["pid"]) for line in broken.of("RequestServed")}
    assert {(line["path"], line["pid"]) for line in broken.of("in the worker")} == served
    assert {path for path, _ in served} == {"root/text/primary"}


def test_the_error_has_it(broken: Told) -> None:
    """TL-06 As the latest of those that are told."""
    (error,) = (error for error in broken.errors if error["correlation_id"] == ID)
    assert (error["kind"], error["path"]) == ("generation_failed", "root/text")


@pytest.mark.parametrize(
    "family", ["gen_ai_server_request_duration_seconds", "http_server_request_duration_seconds"]
)
def test_the_exemplars_have_it(broken: Told, family: str) -> None:
    """TL-06 With the trace's id, so that a slow bucket leads to a request."""
    assert broken.exemplars(family) == [{"trace_id": TRACE_ID, "correlation_id": ID}]


def test_the_spans_are_one_trace_of_it(broken: Told) -> None:
    """TL-06 From the caller's span over HTTP's to the batch in the worker."""
    spans = [span for span in broken.spans if span["context"]["trace_id"] == f"0x{TRACE_ID}"]
    of = {span["name"]: span for span in spans}
    chain = ["POST /generate", "text_completion root/text", "attempt primary", "worker", "batch"]
    parent = f"0x{CALLERS_SPAN}"
    for name in chain:
        assert of[name]["parent_id"] == parent, name
        parent = of[name]["context"]["span_id"]
    for name in chain[:2]:
        assert of[name]["attributes"]["failsoft.correlation_id"] == ID
        assert of[name]["attributes"]["error.type"] == "generation_failed"
    assert of["POST /generate"]["kind"] == "SpanKind.SERVER"


def test_nothing_else_has_it(broken: Told) -> None:
    """TL-06 A scrape that comes after it has an id of its own."""
    routes = {line["route"] for line in broken.lines if line["event"] == "HttpRequestFinished"}
    assert routes == {"/generate", "/error_metrics", "/metrics"}
    assert [line["route"] for line in broken.of("HttpRequestFinished")] == ["/generate"]
