"""Metrics for OpenTelemetry: what a scrape has, as its SDK's points, under its own names.

Prometheus's registry stays the one place that counts. OpenTelemetry's observable instruments can't
hold histograms, which most of our metrics are, so the points are made here, of one collection.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from itertools import pairwise
from typing import Any, Final

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

_CUMULATIVE: Final = AggregationTemporality.CUMULATIVE
# Those of the conventions, whose dots can't be told from their underscores.
_NAMES: Final = {
    "gen_ai_server_request_duration_seconds": "gen_ai.server.request.duration",
    "gen_ai_server_time_to_first_token_seconds": "gen_ai.server.time_to_first_token",
    "gen_ai_server_time_per_output_token_seconds": "gen_ai.server.time_per_output_token",
    "gen_ai_client_token_usage": "gen_ai.client.token.usage",
    "gen_ai_operation_name": "gen_ai.operation.name",
    "gen_ai_provider_name": "gen_ai.provider.name",
    "gen_ai_request_model": "gen_ai.request.model",
    "gen_ai_response_model": "gen_ai.response.model",
    "gen_ai_token_type": "gen_ai.token.type",
    "error_type": "error.type",
    "http_server_request_duration_seconds": "http.server.request.duration",
    "http_server_active_requests": "http.server.active_requests",
    "http_request_method": "http.request.method",
    "http_response_status_code": "http.response.status_code",
    "http_route": "http.route",
    "url_scheme": "url.scheme",
}
# What goes up and down by one is a sum for OpenTelemetry, and a gauge for Prometheus.
_UP_AND_DOWN: Final = frozenset(("http_server_active_requests",))
_NUMBERS: Final = frozenset(("http_response_status_code",))
_UNITS: Final = {
    "_seconds": "s",
    "_bytes": "By",
    "_ratio": "1",
    "_token_usage": "{token}",
    "_active_requests": "{request}",
}

# The labels of a series, but the bound of a bucket.
Series = tuple[tuple[str, str], ...]


def metrics_data(registry: CollectorRegistry, resource: Resource, since: int) -> MetricsData:
    """Collect all metrics, as OpenTelemetry's exporters take them.

    since: when counting began, in nanoseconds since the epoch, for series that don't tell.
    """
    now = time.time_ns()
    metrics = [_metric(family, since, now) for family in registry.collect()]
    scope = InstrumentationScope("failsoft", metadata.version("failsoft"))
    found = [ScopeMetrics(scope, [metric for metric in metrics if metric is not None], "")]
    return MetricsData([ResourceMetrics(resource, found, "")])


def _metric(family: Family, since: int, now: int) -> Metric | None:
    if not family.samples:
        return None
    points = list(_points(family, since, now))
    data: Sum | Gauge | Histogram
    if family.type == "histogram":
        data = Histogram(points, _CUMULATIVE)
    elif family.type == "counter":
        data = Sum(points, _CUMULATIVE, is_monotonic=True)
    elif family.name in _UP_AND_DOWN:
        data = Sum(points, _CUMULATIVE, is_monotonic=False)
    else:
        data = Gauge(points)
    unit = next((unit for end, unit in _UNITS.items() if family.name.endswith(end)), "")
    name = _name(family.name + "_info" * (family.type == "info"))
    return Metric(name, family.documentation, unit, data)


def _name(name: str) -> str:
    """Give OpenTelemetry's name, from which Prometheus makes ``name`` again."""
    known = _NAMES.get(name)
    if known is not None:
        return known
    for end in ("_seconds", "_bytes"):
        name = name.removesuffix(end)
    return name.replace("failsoft_", "failsoft.", 1)


def _points(family: Family, since: int, now: int) -> Iterator[Any]:
    series: defaultdict[Series, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in family.samples:
        labels = tuple((name, text) for name, text in sample.labels.items() if name != "le")
        series[labels][sample.name.removeprefix(family.name)].append(sample)
    for labels, samples in series.items():
        # A request that went well has no type of error.
        attributes = {_NAMES.get(name, name): _value(name, text) for name, text in labels if text}
        created = samples.pop("_created", ())
        began = int(created[0].value * 1e9) if created else since
        if family.type == "histogram":
            yield _histogram_point(attributes, samples, began, now)
        else:
            for sample in (sample for parts in samples.values() for sample in parts):
                yield NumberDataPoint(attributes, began, now, sample.value)


def _value(name: str, text: str) -> str | int:
    is_number = name in _NUMBERS and text.isdecimal()  # or else it is what stands in for more
    return int(text) if is_number else text


def _histogram_point(
    attributes: Mapping[str, str | int], samples: Mapping[str, list[Sample]], began: int, now: int
) -> HistogramDataPoint:
    buckets = samples["_bucket"]
    # Prometheus's buckets hold those below them as well.
    below = (0, *(int(bucket.value) for bucket in buckets))
    unknown: Any = None
    return HistogramDataPoint(
        attributes=dict(attributes),
        start_time_unix_nano=began,
        time_unix_nano=now,
        count=below[-1],
        sum=samples["_sum"][0].value,
        bucket_counts=[upper - lower for lower, upper in pairwise(below)],
        explicit_bounds=[float(bucket.labels["le"]) for bucket in buckets[:-1]],
        min=unknown,
        max=unknown,
        exemplars=list(_exemplars(buckets)),
    )


def _exemplars(buckets: Iterable[Sample]) -> Iterator[Exemplar]:
    for bucket in buckets:
        found = bucket.exemplar
        if found is not None:
            at = int(float(found.timestamp or 0) * 1e9)
            yield Exemplar(dict(found.labels), found.value, at)
