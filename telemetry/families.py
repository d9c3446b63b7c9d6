"""Families of metrics whose labels are bounded: a thin layer over prometheus_client."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from failsoft.telemetry.label_bound import OTHER, LabelBound

MetricT = TypeVar("MetricT", Counter, Gauge, Histogram)

MOST_SERIES: Final = 1000

# An exemplar's names and values have so many characters in all, by OpenMetrics's rule.
_LONGEST_EXEMPLAR = 128

# Of a request: its correlation id, and its trace's.
Ids = tuple[str | None, str | None]
_NO_IDS: Final[Ids] = (None, None)


class Family(Generic[MetricT]):
    """Be a metric with labels, of which there are at most ``most_series`` combinations, and one.

    What comes beyond them goes to the one whose labels are all ``other``. A value of a label that
    has had too many is ``other`` too.
    """

    __slots__ = ("_bound", "_most_series", "_series", "labels", "metric")

    def __init__(
        self, metric: MetricT, labels: Sequence[str], bound: LabelBound, most_series: int
    ) -> None:
        self.metric: MetricT = metric
        self.labels = tuple(labels)
        self._bound = bound
        self._most_series = most_series
        self._series: dict[tuple[str, ...], MetricT] = {}

    def of(self, *values: str) -> MetricT:
        """Give the series with these values of its labels, in their order."""
        return self._series.get(values) or self._admit(values)

    def _admit(self, values: tuple[str, ...]) -> MetricT:
        if len(values) != len(self.labels):
            raise ValueError(f"{self.metric} has the labels {self.labels}; given were {values}")
        pairs = zip(self.labels, values, strict=True)
        admitted = tuple(self._bound.admit(label, value) for label, value in pairs)
        if admitted not in self._series and len(self._series) >= self._most_series:
            admitted = (OTHER,) * len(values)
        return self._series_of(admitted) if admitted == values else self._beyond(admitted)

    def _series_of(self, admitted: tuple[str, ...]) -> MetricT:
        series = self._series.get(admitted)
        if series is None:
            series = self.metric.labels(*admitted) if self.labels else self.metric
            self._series[admitted] = series
        return series

    def _beyond(self, admitted: tuple[str, ...]) -> MetricT:
        """Give the series for what there is no room for."""
        return self._series_of(admitted)

    def forget(self, gone: Callable[[dict[str, str]], bool]) -> None:
        """Take out the series whose labels are ``gone``; they begin anew when they come back."""
        for values in tuple(self._series):
            if gone(dict(zip(self.labels, values, strict=True))):
                del self._series[values]
                self.metric.remove(*values)

    def __len__(self) -> int:
        return len(self._series)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.metric}: {len(self)} of {self._most_series} series>"


class Counts(Family[Counter]):
    """Count what happened."""

    __slots__ = ("_told",)

    def __init__(
        self, metric: Counter, labels: Sequence[str], bound: LabelBound, most_series: int
    ) -> None:
        super().__init__(metric, labels, bound, most_series)
        self._told: dict[str, int] = {}

    def add(self, *values: str, by: float = 1.0) -> None:
        """Count ``by`` more."""
        self.of(*values).inc(by)

    def catch_up(self, counts: Mapping[str, int]) -> None:
        """Count what was added to ``counts``, by the value of the only label, since last time.

        A count that is lower than last time is somebody else's, who began anew.
        """
        for value, count in counts.items():
            told = self._told.get(value, 0)
            self.add(value, by=count - told if count >= told else count)
        self._told = dict(counts)


class Levels(Family[Gauge]):
    """Hold numbers that go up and down. What there is no room for is left out.

    Counts of many can be added up under ``other``; of levels it would have the last one's.
    """

    __slots__ = ("_left_out",)

    def __init__(
        self, metric: Gauge, labels: Sequence[str], bound: LabelBound, most_series: int
    ) -> None:
        super().__init__(metric, labels, bound, most_series)
        self._left_out = Gauge("left_out", "In no registry.", registry=None)

    def _beyond(self, admitted: tuple[str, ...]) -> Gauge:
        return self._left_out

    def set(self, *values: str, to: float) -> None:
        """Take note of what it is now."""
        self.of(*values).set(to)

    def set_one_of(self, *values: str, states: Iterable[str]) -> None:
        """Set the last of the labels' values to 1, and the other ``states`` to 0."""
        *others, current = values
        for state in states:
            self.of(*others, state).set(state == current)


class Spreads(Family[Histogram]):
    """Hold how values are spread over buckets."""

    __slots__ = ()

    def see(self, *values: str, value: float, ids: Ids = _NO_IDS) -> None:
        """Take note of a value, and of a request that it can be looked up by: its exemplar."""
        self.of(*values).observe(value, None if ids == _NO_IDS else _exemplar(*ids))


def _exemplar(correlation_id: str | None, trace_id: str | None) -> dict[str, str] | None:
    """Give the ids that there is room for."""
    exemplar: dict[str, str] = {}
    room = _LONGEST_EXEMPLAR
    for name, id in (("trace_id", trace_id), ("correlation_id", correlation_id)):
        if id and len(name) + len(id) <= room:
            exemplar[name] = id
            room -= len(name) + len(id)
    return exemplar or None


class Families:
    """Make families, all in one registry and with one bound for the labels that they share."""

    def __init__(self, registry: CollectorRegistry, bound: LabelBound, most_series: int) -> None:
        self._registry = registry
        self._bound = bound
        self._most_series = most_series

    def counts(self, name: str, help: str, *labels: str) -> Counts:
        """Make a counter; its name gets ``_total``."""
        metric = Counter(name, help, labels, registry=self._registry)
        return Counts(metric, labels, self._bound, self._most_series)

    def levels(self, name: str, help: str, *labels: str) -> Levels:
        """Make a gauge."""
        metric = Gauge(name, help, labels, registry=self._registry)
        return Levels(metric, labels, self._bound, self._most_series)

    def spreads(self, name: str, help: str, *labels: str, buckets: Sequence[float]) -> Spreads:
        """Make a histogram. buckets: their upper bounds, but the last, which has none."""
        metric = Histogram(name, help, labels, buckets=buckets, registry=self._registry)
        return Spreads(metric, labels, self._bound, self._most_series)
