"""The error log: what errors come to, in bounded room."""

from __future__ import annotations

import msgspec
import pytest

from failsoft.telemetry import ErrorLog, ErrorPolicy, ErrorRecord, SpikePolicy


def record(kind: str, at: float, operation: str = "GenerateText", id: str = "c") -> ErrorRecord:
    return ErrorRecord(kind, operation, "root/text", at, id)


def filled(log: ErrorLog, *errors: ErrorRecord) -> ErrorLog:
    log.begin(0.0)
    for error in errors:
        log.add(error, error.at)
    return log


def test_a_report_of_nothing() -> None:
    """TL-01 Nothing went wrong."""
    report = ErrorLog().report(5.0)
    assert (report.total_errors, report.error_types, report.error_rate) == (0, {}, 0)
    assert (report.top_patterns, report.spikes, report.recent) == ({}, (), ())


def test_a_report_counts_by_kind_and_by_pattern() -> None:
    """TL-01 Rates a minute, the most frequent pattern first, the last error first."""
    log = filled(
        ErrorLog(ErrorPolicy(rate_window=120.0)),
        record("worker_lost", 10.0),
        record("out_of_memory", 300.0, "GenerateImage", "c-2"),
        record("worker_lost", 301.0),
        record("worker_lost", 302.0, "ActorFailed", "c-4"),
        record("worker_lost", 303.0, id="c-5"),
    )
    report = log.report(310.0)
    assert report.total_errors == 5
    assert report.error_types == {"worker_lost": 4, "out_of_memory": 1}
    assert report.error_rate == 2
    assert report.error_rates == {"worker_lost": 1.5, "out_of_memory": 0.5}
    assert list(report.top_patterns.items()) == [
        ("worker_lost:GenerateText", 3),
        ("out_of_memory:GenerateImage", 1),
        ("worker_lost:ActorFailed", 1),
    ]
    assert [error.correlation_id for error in report.recent] == ["c-5", "c-4", "c", "c-2", "c"]


def test_the_summary_is_of_the_last_hour() -> None:
    """TL-01 What is older counts in the total alone."""
    log = filled(ErrorLog(), record("a", 0.0), record("b", 3000.0), record("b", 4000.0))
    report = log.report(4000.0)
    assert report.error_types == {"a": 1, "b": 2}
    hour = report.last_hour
    assert (hour.total, hour.error_types, hour.top_patterns) == (2, {"b": 2}, {"b:GenerateText": 2})
    assert (len(hour.per_minute), sum(hour.per_minute), hour.per_minute[-1]) == (60, 2, 1)


def test_a_report_is_json_with_the_names_that_are_agreed() -> None:
    """TL-01 As /error_metrics shows it."""
    log = filled(ErrorLog(), record("worker_lost", 1.0))
    shown = msgspec.json.decode(msgspec.json.encode(log.report(2.0)))
    agreed = {"total_errors", "error_types", "error_rate", "top_patterns", "spikes"}
    assert agreed <= shown.keys()
    assert shown["recent"][0]["correlation_id"] == "c"


def test_only_so_many_patterns_and_errors_are_shown() -> None:
    """TL-07 The most frequent ones, and the last."""
    log = ErrorLog(ErrorPolicy(top=2, kept=3))
    filled(log, *(record(kind, float(at)) for at, kind in enumerate("abbccc")))
    report = log.report(10.0)
    assert list(report.top_patterns) == ["c:GenerateText", "b:GenerateText"]
    assert [error.at for error in report.recent] == [5.0, 4.0, 3.0]


def test_its_room_is_bounded_whatever_comes() -> None:
    """TL-07 A hundred thousand errors, each of a kind and an operation of its own."""
    policy = ErrorPolicy(kept=10, most_kinds=5, most_patterns=7)
    log = ErrorLog(policy)
    for number in range(100_000):
        log.add(record(f"kind-{number}", number * 0.01, f"op-{number}"), number * 0.01)
    told = log.statistics()
    assert (told.total, told.kept) == (100_000, 10)
    assert told.kinds.keys <= 6
    assert told.kinds.slots <= 6 * 360
    assert told.patterns.slots <= 8 * 360
    report = log.report(1000.0)
    assert len(report.error_types) == 6
    assert sum(report.error_types.values()) == report.last_hour.total == 100_000
    assert repr(log) == "<ErrorLog 100000 errors, 10 kept, <SpikeDetector no spike>>"


def test_a_spike_is_given_once_and_stays_until_it_is_over() -> None:
    """TL-01 The log's own begin counts: what came before it was not heard."""
    log = filled(ErrorLog(ErrorPolicy(spike=SpikePolicy(window=60.0))))
    began = [log.add(record("worker_lost", 600.0), 600.0) for _ in range(40)]
    assert [spike is not None for spike in began].index(True) == 14
    assert sum(spike is not None for spike in began) == 1
    assert [spike.kind for spike in log.report(600.0).spikes] == ["worker_lost"]
    assert log.ended(610.0) == ()
    assert [spike.kind for spike in log.ended(670.0)] == ["worker_lost"]
    assert log.spikes == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"rate_window": 0.0},
        {"rate_window": 4000.0},
        {"kept": 0},
        {"top": 0},
        {"spike": SpikePolicy(window=1200.0)},
    ],
)
def test_a_policy_that_makes_no_sense_is_an_error(wrong: dict[str, object]) -> None:
    """SV-12 It says what must be."""
    with pytest.raises(ValueError, match="must"):
        ErrorPolicy(**wrong)  # type: ignore[arg-type]
