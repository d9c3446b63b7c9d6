"""Metrics by OTLP: a real exporter, a real receiver over HTTP, and the bytes that come there."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult

from failsoft.actors import System, handles
from failsoft.messages import Request
from failsoft.messages.events import WorkerHung
from failsoft.telemetry import Metrics, MetricsActor, OtlpActor, Scrape
from failsoft.telemetry.active_requests import ActiveRequests
from failsoft.telemetry.otlp_actor import Export

from .happened import finish, finish_http

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run in real time: there is a real receiver."""
    return "asyncio"


class Receiver:
    """Be a collector: keep the metrics of each export; answer ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.arrived = threading.Event()
        self.exports: list[dict[str, Metric]] = []
        self.resources: list[dict[str, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(gzip.decompress(body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/metrics"

    def take(self, body: bytes) -> None:
        request = ExportMetricsServiceRequest.FromString(body)
        (resource,) = request.resource_metrics
        (scope,) = resource.scope_metrics
        self.exports.append({metric.name: metric for metric in scope.metrics})
        attributes = resource.resource.attributes
        self.arrived.set()
        self.resources.append({item.key: item.value.string_value for item in attributes})


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture
async def system(plain_logs: None) -> AsyncIterator[System]:
    async with System() as system:
        yield system


def attributes_of(point: object) -> dict[str, str]:
    return {item.key: item.value.string_value for item in point.attributes}  # type: ignore[attr-defined]


def integers_of(point: object) -> dict[str, int]:
    attributes = point.attributes  # type: ignore[attr-defined]
    return {
        item.key: item.value.int_value for item in attributes if item.value.HasField("int_value")
    }


async def exported(system: System, receiver: Receiver, metrics: Metrics) -> dict[str, Metric]:
    """Have the metrics exported once; give them as they arrived."""
    exporter = OTLPMetricExporter(receiver.url, compression=Compression.Gzip)
    await system.spawn(lambda: OtlpActor(metrics, exporter), "otlp")
    await system.stop(system.ref("otlp"))
    exporter.shutdown()
    return receiver.exports[-1]


async def test_metrics_arrive_under_opentelemetrys_names(
    system: System, receiver: Receiver
) -> None:
    """TL-05 Counters, levels and histograms, with units, from the one registry that counts."""
    metrics = Metrics()
    heard = await system.spawn(lambda: MetricsActor(metrics), "metrics")
    finish(system, seconds=0.5, correlation_id="c-1")
    finish(system, seconds=700.0)
    for _ in range(3):
        system.events.publish(WorkerHung, "root/text/primary", pid=1, reason="quiet")
    await heard.ask(Scrape())  # which comes after all of them
    found = await exported(system, receiver, metrics)
    assert receiver.resources[-1]["service.name"] == "failsoft"

    duration = found["gen_ai.server.request.duration"]
    assert duration.unit == "s"
    (point,) = duration.histogram.data_points
    assert (point.count, point.sum) == (2, 700.5)
    assert (len(point.bucket_counts), sum(point.bucket_counts)) == (19, 2)
    assert point.bucket_counts[list(point.explicit_bounds).index(0.5)] == 1
    assert (point.bucket_counts[-1], point.explicit_bounds[-1]) == (1, 600)
    assert attributes_of(point)["gen_ai.request.model"] == "root/text"
    assert "error.type" not in attributes_of(point)
    assert 0 < point.start_time_unix_nano <= point.time_unix_nano
    exemplars = [list(item.filtered_attributes) for item in point.exemplars]
    assert exemplars[0][0].value.string_value == "c-1"

    hung = found["failsoft.workers_hung"].sum
    (counted,) = hung.data_points
    assert (counted.as_double, hung.is_monotonic) == (3, True)
    assert attributes_of(counted) == {"path": "root/text/primary"}
    levels = found["failsoft.mailbox_messages"].gauge.data_points
    assert {"path": "otlp", "lane": "work"} in [attributes_of(point) for point in levels]
    (build,) = found["failsoft.build_info"].gauge.data_points
    assert build.as_double == 1


async def test_requests_over_http_have_opentelemetrys_types(
    system: System, receiver: Receiver
) -> None:
    """TL-05 A status is a number, what is under way goes up and down, and no route is no route."""
    metrics = Metrics()
    heard = await system.spawn(lambda: MetricsActor(metrics), "metrics")
    finish_http(system, seconds=0.5)
    finish_http(system, route="", status=0, error_type="client_gone")
    system.extension(ActiveRequests).begin(("POST", "http"))
    await heard.ask(Scrape())
    found = await exported(system, receiver, metrics)

    duration = found["http.server.request.duration"]
    assert duration.unit == "s"
    answered, gone = duration.histogram.data_points
    assert (answered.count, answered.sum) == (1, 0.5)
    assert integers_of(answered) == {"http.response.status_code": 200}
    asked = {"http.request.method": "POST", "url.scheme": "http"}
    answered_text = {**asked, "http.route": "/generate", "http.response.status_code": ""}
    assert attributes_of(answered) == answered_text
    assert attributes_of(gone) == {**asked, "error.type": "client_gone"}
    (exemplar,) = (item for item in answered.exemplars)
    assert exemplar.filtered_attributes[0].value.string_value == "c-1"

    active = found["http.server.active_requests"]
    (point,) = active.sum.data_points
    assert (active.unit, active.sum.is_monotonic, point.as_double) == ("{request}", False, 1)
    assert attributes_of(point) == asked


async def test_a_collector_that_refuses_gets_it_all_the_next_time(
    system: System, receiver: Receiver
) -> None:
    """TL-03 What it missed isn't lost: counts go on from the start."""
    metrics, exporter = Metrics(), OTLPMetricExporter(receiver.url, compression=Compression.Gzip)
    await system.spawn(lambda: MetricsActor(metrics), "metrics")
    otlp = await system.spawn(lambda: OtlpActor(metrics, exporter), "otlp")
    receiver.status = 400
    metrics.hung.add("a")
    otlp.tell(Export())
    await asyncio.to_thread(receiver.arrived.wait)
    receiver.status = 200
    metrics.hung.add("a")
    await system.stop(otlp)
    exporter.shutdown()
    (point,) = receiver.exports[-1]["failsoft.workers_hung"].sum.data_points
    assert point.as_double == 2


class Hanging(MetricExporter):
    """Hang in each export until it is let go; count them."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.exports = 0

    def export(self, *_: object, **__: object) -> MetricExportResult:
        self.exports += 1
        self.begun.set()
        self.let_go.wait()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **_: object) -> None:
        pass


class Settle(Request[None], frozen=True):
    pass


class Settling(OtlpActor):
    @handles(Settle)
    def settle(self, _message: Settle) -> None:
        pass


async def test_a_collector_that_hangs_delays_nothing(system: System) -> None:
    """TL-03 There is one thread, the actor goes on, and it ends in its time."""
    exporter = Hanging()
    otlp = await system.spawn(lambda: Settling(Metrics(), exporter), "otlp")
    otlp.tell(Export())
    await asyncio.to_thread(exporter.begun.wait)
    for _ in range(3):
        otlp.tell(Export())
    await otlp.ask(Settle())
    async with asyncio.timeout(60):
        await system.stop(otlp)
    assert exporter.exports == 1
    exporter.let_go.set()


def test_an_interval_must_be_over_zero() -> None:
    """An error says what it is."""
    with pytest.raises(ValueError, match="every must be over 0 s"):
        OtlpActor(Metrics(), every=0)
