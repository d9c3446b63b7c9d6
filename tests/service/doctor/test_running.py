"""The doctor's checks of what a running service says."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from failsoft.service.doctor import running
from failsoft.service.page.rows import Row
from failsoft.telemetry import CheckResult, ErrorLog, HealthReport, Probe
from failsoft.telemetry.error_log import ErrorRecord

from .test_machine import told

YES, NO = Probe(True), Probe(False, ("root/text has no model to ask",))


def health(*checks: CheckResult, **facts: Any) -> HealthReport:
    usual: dict[str, Any] = {"live": YES, "ready": YES, "started": YES, "models": {}}
    status: Literal["healthy"] = "healthy"
    return HealthReport(status, (), checks, **{**usual, **facts})


def check(*, critical: bool, is_ok: bool = True) -> CheckResult:
    return CheckResult("disk", critical, is_ok, "" if is_ok else "it is full", 0.0, 0.0)


def row(path: str, **facts: Any) -> Row:
    usual = {"depth": 0, "role": "model", "state": "ready", "circuit": "closed"}
    return Row(path=path, **{**usual, "is_candidate": "model" in path, **facts})


ROUTER = row("text", role="router", circuit="", is_candidate=False)


@pytest.mark.parametrize(
    ("facts", "levels"),
    [
        ({}, ["ok", "ok", "ok"]),
        ({"live": NO}, ["fail", "ok", "ok"]),
        ({"started": NO}, ["ok", "warn", "ok"]),
        ({"ready": NO}, ["ok", "ok", "fail"]),
        ({"started": NO, "ready": NO}, ["ok", "warn", "warn"]),
    ],
)
def test_probes(facts: dict[str, Probe], levels: list[str]) -> None:
    """Alive, started, ready; that a model loads for the first time passes."""
    assert [told(finding)[0] for finding in running.probes(health(**facts))] == levels


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([], [("warn", "there are none")]),
        ([check(critical=True)], [("ok", "1 critical, 0 others")]),
        ([check(critical=False)], [("warn", "0 critical, 1 others")]),
        (
            [check(critical=True, is_ok=False)],
            [("ok", "1 critical, 0 others"), ("fail", "it is full")],
        ),
        (
            [check(critical=True), check(critical=False, is_ok=False)],
            [("ok", "1 critical, 1 others"), ("warn", "it is full")],
        ),
    ],
)
def test_health_checks(checks: list[CheckResult], expected: list[tuple[str, str]]) -> None:
    """That one fails is as bad as it is critical."""
    assert [told(finding) for finding in running.health_checks(health(*checks))] == expected


@pytest.mark.parametrize(
    ("facts", "level", "said"),
    [
        ({}, "ok", "ready"),
        ({"state": "loading", "is_usable": False}, "warn", "loading"),
        ({"state": "down", "is_usable": False, "until": 5.0}, "warn", "restarted in a while"),
        ({"is_usable": False, "trouble": "it can't be reached"}, "warn", "can't be reached"),
        ({"circuit": "open"}, "warn", "its circuit is open"),
        ({"circuit": "open", "forced": "open"}, "warn", "an operator holds its circuit open"),
    ],
)
def test_models(facts: dict[str, Any], level: str, said: str) -> None:
    """One that is out is none of a failure as long as its route has another."""
    (finding,) = running.models([ROUTER, row("text/model", **facts)])
    assert (told(finding)[0], said in finding.found) == (level, True)


@pytest.mark.parametrize(
    ("models", "level"),
    [
        ([{}, {}], "ok"),
        ([{"is_usable": False}, {}], "ok"),
        ([{}], "warn"),
        ([{"circuit": ""}, {}], "warn"),
        ([{"is_usable": False}, {"circuit": "open"}], "fail"),
        ([{"is_usable": False, "is_first_load": True}], "warn"),
        ([], "fail"),
    ],
)
def test_routes(models: list[dict[str, Any]], level: str) -> None:
    """Each has somebody to ask, and somebody besides."""
    rows = [row(f"text/model{number}", **facts) for number, facts in enumerate(models)]
    (finding,) = running.routes([ROUTER, *rows, row("other/model")])
    assert told(finding)[0] == level


@pytest.mark.parametrize(
    ("scraped", "level"),
    [('failsoft_build_info{version="1"} 1.0\n', "ok"), ("<html>", "fail"), (None, "warn")],
)
def test_metrics(scraped: str | None, level: str) -> None:
    """They can be had, and are failsoft's."""
    assert told(running.metrics(scraped))[0] == level


def test_errors() -> None:
    """A spike is worth a look; some errors are nothing unusual."""
    log = ErrorLog()
    log.begin(0.0)
    assert told(running.errors(None)) == ("warn", "nobody counts them")
    assert told(running.errors(log.report(3000.0))) == ("ok", "0 in the last hour")
    for _ in range(100):
        log.add(ErrorRecord("worker_lost", "GenerateText", "root/text", 3000.0), 3000.0)
    level, found = told(running.errors(log.report(3000.0)))
    assert (level, found) == ("warn", "100 in the last hour; a spike of worker_lost")
